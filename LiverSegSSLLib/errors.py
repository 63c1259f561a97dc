"""What goes wrong, in one line a user can act on: what, where, what to do."""

import errno
import os
from pathlib import Path

_NO_ANSWER = frozenset(
    getattr(errno, name)
    for name in ("EIO", "ESTALE", "ENOTCONN", "ENODEV", "ENXIO", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "EREMOTEIO")
    if hasattr(errno, name)
)
"""What an operating system says of a disk or share that is gone."""

_NO_ROOM = frozenset(getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name))
_NO_RIGHT = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))


def one_line(text: str) -> str:
    """A text that may hold names of files as one line that can be shown anywhere.

    White space becomes single spaces; what is not to be printed (commands to a terminal, bytes that are no UTF-8)
    becomes ``?``.
    """
    return "".join(char if char.isprintable() else "?" for char in " ".join(text.split()))


class LiverSegError(Exception):
    """Base of every error that this library raises on purpose.

    :param what: what is wrong, in a short clause.
    :param where: the file, case or key it was found in, if there is one.
    :param remedy: what to do about it.
    """

    exit_code = 1
    """Exit status of a command that ends with this error."""

    def __init__(self, what: str, where: Path | str | None = None, remedy: str = "") -> None:
        super().__init__(what, where, remedy)
        self.what = what
        self.where = None if where is None else str(where)
        self.remedy = remedy

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" – {self.remedy}" if self.remedy else ""
        return one_line(f"{place}{self.what}{advice}")


class BadInputError(LiverSegError):
    """The user gave something that cannot be used."""

    exit_code = 2


class ImageError(BadInputError):
    """An image file cannot be read or is not a 3-D scalar image."""


class GeometryError(BadInputError):
    """Two images that must share a grid do not."""


class CohortError(BadInputError):
    """A cohort folder or manifest cannot be understood."""


class LabelError(BadInputError):
    """A mask or a label operation is not allowed."""


class RecipeError(BadInputError):
    """A recipe or an option is wrong."""


class WeightsError(BadInputError):
    """Pretrained weights are missing, damaged or not what they should be."""


class DownloadError(LiverSegError):
    """A file could not be downloaded: no network, refused, cut off."""


class WorkspaceError(LiverSegError):
    """A workspace cannot be opened or is damaged."""


class TrainingError(LiverSegError):
    """A training did not produce a model."""


class JobError(LiverSegError):
    """A job's process failed."""


class PlaceError(LiverSegError):
    """A disk, share or folder refuses to be read or written. Nothing is wrong with what lies there."""


def place_error(error: OSError, where: Path | str | None = None) -> PlaceError:
    """What a file system has refused, with what to do about it.

    :param where: what was read or written, if the error does not say so itself.
    """
    remedy = "the same command goes on from here"
    if error.errno in _NO_ANSWER:
        remedy = f"see that the disk or network share is there again; {remedy}"
    elif error.errno in _NO_ROOM:
        remedy = f"make room on its disk; {remedy}"
    elif error.errno in _NO_RIGHT:
        remedy = f"see that you may write there, or choose another folder; {remedy}"
    what = error.strerror or str(error) or type(error).__name__
    name = error.filename2 or error.filename  # of two, what was written
    return PlaceError(what, os.fsdecode(name) if isinstance(name, str | bytes) else where, remedy)


def require_answering(error: BaseException, where: Path | str) -> None:
    """Raise unless an error says something of the file rather than of the disk or share it lies on.

    A file that cannot be reached now must not be taken for one that is damaged: that would be remembered.

    :raises PlaceError: the disk or share does not answer.
    """
    if isinstance(error, OSError) and error.errno in _NO_ANSWER:
        raise place_error(error, where) from error


class Cancelled(LiverSegError):
    """The user stopped the job."""

    exit_code = 130

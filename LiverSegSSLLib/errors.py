"""What goes wrong, in one line a user can act on: what, where, what to do."""

from pathlib import Path


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


class Cancelled(LiverSegError):
    """The user stopped the job."""

    exit_code = 130

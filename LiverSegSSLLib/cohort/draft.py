"""What a layout finds before the files are looked into: studies with the images and masks that they name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from LiverSegSSLLib.cohort.study import Phase, Problem


@dataclass(frozen=True)
class ImageDraft:
    """One image file and what its name says; ``organs`` as in :class:`~LiverSegSSLLib.cohort.study.Case`."""

    phase: Phase
    path: Path
    b_value: int | None = None
    mask: Path | None = None
    organs: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class StudyDraft:
    """One study as found. ``name`` is what it is called there (the key is made from it), ``where`` its folder."""

    name: str
    where: Path
    images: tuple[ImageDraft, ...]
    vendor: str = ""
    patient: str = ""


@dataclass(frozen=True)
class Draft:
    """All that a layout found."""

    layout: str
    studies: tuple[StudyDraft, ...]
    problems: tuple[Problem, ...] = ()
    needs_ged4: bool = False
    """A study without the hepatobiliary phase is an error in this layout."""

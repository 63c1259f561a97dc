"""What Cohort says. Free of Qt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from LiverSegSSLPanel.propose_words import state_name

if TYPE_CHECKING:
    from LiverSegSSLLib.errors import LiverSegError
    from LiverSegSSLPanel.cohort_rows import PhaseCell, StudyRow
    from LiverSegSSLPanel.scene.study import StudyInScene


def phase_name(phase: str) -> str:
    """A phase as radiologists call it."""
    names = {
        "GED1": _("arterial phase"),
        "GED2": _("portal venous phase"),
        "GED3": _("delayed phase"),
        "GED4": _("hepatobiliary phase"),
        "T1": _("T1-weighted, before contrast"),
        "T2": _("T2-weighted"),
        "DWI": _("diffusion-weighted"),
        "IP": _("in phase"),
        "OP": _("opposed phase"),
        "CT": _("CT"),
    }
    return names[phase]


def study_title(row: StudyRow) -> str:
    """Patient and study, said once where one begins with the other."""
    return row.study if row.study.startswith(row.patient) else f"{row.patient} / {row.study}"


def study_tip(row: StudyRow) -> str:
    """What is known of a study, line by line."""
    lines = [_("Patient {patient}, study {study}").format(patient=row.patient, study=row.study)]
    if row.vendor:
        lines.append(_("Vendor {vendor}").format(vendor=row.vendor))
    return "\n".join(lines + [cell_tip(cell) for cell in row.phases])


def cell_tip(cell: PhaseCell) -> str:
    """Phase, state of its label, and doubt."""
    text = f"{cell.phase} ({phase_name(cell.phase)}): {state_name(cell.state)}"
    if cell.doubt is not None:
        text += ", " + _("doubt {percent} %").format(percent=round(100 * cell.doubt))
    return text


def count_text(shown: int, rows: Sequence[StudyRow]) -> str:
    """How many studies the table shows."""
    if shown < len(rows):
        return _("{shown} of {studies} studies").format(shown=shown, studies=len(rows))
    images = sum(len(row.phases) for row in rows)
    return _("{studies} studies, {images} images").format(studies=len(rows), images=images)


def problems_title(problems: Sequence[str]) -> str:
    """How much is wrong with the data."""
    if len(problems) == 1:
        return _("1 remark on the data")
    return _("{count} remarks on the data").format(count=len(problems))


def study_line(study: StudyInScene | None, progress: tuple[str, int, int], errors: Mapping[str, LiverSegError]) -> str:
    """Which study is open or on its way, and what of it could not be shown."""
    key, done, total = progress
    if total:
        return _("Loading {study}: {done} of {total} phases …").format(study=key, done=done, total=total)
    lines = []
    if study is not None:
        lines.append(_("{study} is open.").format(study=study.key))
    lines += [_("Not shown: {reason}").format(reason=error) for error in errors.values()]
    return "\n".join(lines)

"""Labels of the study in the scene as files that others read. Free of Qt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer

from LiverSegSSLLib.errors import BadInputError

if TYPE_CHECKING:
    from LiverSegSSLLib.labels.store import LabelStore
    from LiverSegSSLPanel.reviewing import ReviewDesk

SEGMENTATION_FILE = ".seg.nrrd"

MANUAL, SEMIAUTOMATIC, AUTOMATIC = "MANUAL", "SEMIAUTOMATIC", "AUTOMATIC"
"""How DICOM says that a segment was made."""

_BY_HAND = ("expert", "drawn")
"""Sources of labels that a person has drawn from nothing."""


def write_segmentation(desk: ReviewDesk, case_id: str, file: str | Path) -> Path:
    """Save the segmentation of a loaded case with names, terminology and colours.

    :raises BadInputError: the name does not end in ``.seg.nrrd``, or the file cannot be written.
    """
    path = Path(file).absolute()
    if not path.name.endswith(SEGMENTATION_FILE):
        raise BadInputError("is no name for a segmentation", path, f"let it end in {SEGMENTATION_FILE}")
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    storage.SetCompressionParameter("gzip_fastest")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not storage.WriteData(desk.phase(case_id).segmentation):
        raise BadInputError("cannot be written", path, "choose another folder")
    return path


def write_dicom_seg(scene: Any, desk: ReviewDesk, store: LabelStore, case_id: str, folder: str | Path) -> Path:
    """Write the label of a loaded case, as drawn, as a DICOM segmentation object that says how it was made.

    :raises BadInputError: it is not possible; says why.
    """
    from LiverSegSSLPanel.scene.dicom_seg import export_dicom_seg

    phase = desk.phase(case_id)
    label = store.label(phase.label_id) if phase.label_id else None
    if label is None or label.source in _BY_HAND:
        algorithm, method = MANUAL, ""
    elif label.state == "corrected" or desk.is_changed(case_id):
        algorithm, method = SEMIAUTOMATIC, "LiverSegSSL"
    else:
        algorithm, method = AUTOMATIC, f"LiverSegSSL {label.source}"
    return export_dicom_seg(scene, phase, Path(folder).absolute(), algorithm, method)

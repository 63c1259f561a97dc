"""A label as a DICOM segmentation object, made by Slicer's own exporter over the DICOM volume that the image came from.

Which DICOM images a case came from is written down nowhere, because their UIDs identify the patient: the volume is
found again in the scene, by having the same voxels at the same place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from vtk.util import numpy_support

from LiverSegSSLLib.errors import BadInputError, GeometryError
from LiverSegSSLLib.volume import Volume
from LiverSegSSLPanel.scene.geometry import node_geometry, world_geometry
from LiverSegSSLPanel.scene.loaded import INSTANCES
from LiverSegSSLPanel.scene.segmentations import LIVER, add_segmentation, is_drawn, mask_of, set_labels
from LiverSegSSLPanel.scene.study import STUDY, PhaseInScene

EXPORTER = "DICOMSegmentationPlugin"
"""In Slicer itself since 5.12, before that in the extension QuantitativeReporting."""

ALGORITHM_TYPE, ALGORITHM_NAME = "DICOM.SegmentAlgorithmType", "DICOM.SegmentAlgorithmName"
"""Tags of a segment that the exporter reads."""

_STEP = 8
"""Every eighth voxel along each axis is compared before all are: other phases have the same grid."""


def why_not(scene: Any, phase: PhaseInScene) -> str:
    """Why no DICOM segmentation can be made of a phase, and what to do; empty: it can."""
    if EXPORTER not in getattr(slicer.modules, "dicomPlugins", {}):
        return "this Slicer has no DICOM SEG exporter – use Slicer 5.12, or install the extension QuantitativeReporting"
    if phase.image is None or phase.segmentation is None or not is_drawn(phase.segmentation):
        return "there is no label"
    original = dicom_original(scene, phase.image)
    if original is None:
        return "there is no DICOM volume of this image in the scene – load it in the module DICOM"
    if not _study_of(scene, original)[1]:
        return f"{original.GetName()} is not under a DICOM study – move it back there in the module Data"
    database = getattr(slicer, "dicomDatabase", None)
    if database is None or not database.fileForInstance(original.GetAttribute(INSTANCES).split()[0]):
        return f"the files of {original.GetName()} are not in Slicer's DICOM database – import them there"
    return ""


def dicom_original(scene: Any, image: Any) -> Any:
    """The volume node from DICOM that an image was taken from: the same voxels at the same place; ``None``: none."""
    if image.GetAttribute(INSTANCES):
        return image
    found = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    found.UnRegister(None)  # VTK hands over a collection that is the caller's to free
    nodes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    others = (node for node in nodes if node.GetAttribute(INSTANCES) and not node.GetAttribute(STUDY))
    return next((node for node in others if _same_image(node, image)), None)


def export_dicom_seg(scene: Any, phase: PhaseInScene, folder: Path, algorithm: str, method: str = "") -> Path:
    """Write the label of a phase as a DICOM segmentation object; returns the file.

    The exporter also adds it to Slicer's DICOM database. It names the patient, as the images do.

    :param folder: gets the file; the exporter names it after the second, so each label wants a folder of its own.
    :param algorithm: ``MANUAL``, ``SEMIAUTOMATIC`` or ``AUTOMATIC``; the latter two with the name of the ``method``.
    :raises BadInputError: it is not possible, or the exporter has failed; says why.
    """
    reason = why_not(scene, phase)
    if reason:
        raise BadInputError(f"cannot be exported as DICOM SEG: {reason}", phase.case_id)
    original = dicom_original(scene, phase.image)
    folder.mkdir(parents=True, exist_ok=True)
    before = set(folder.glob("*.dcm"))
    node = _over(scene, original, phase)
    try:
        segment = node.GetSegmentation().GetNthSegment(0)
        segment.SetTag(ALGORITHM_TYPE, algorithm)
        if method:
            segment.SetTag(ALGORITHM_NAME, method)
        failure = _export(scene, node, original, folder)
    finally:
        _remove(scene, node)
    new = sorted(set(folder.glob("*.dcm")) - before)
    if failure or not new:
        raise BadInputError(f"could not be exported ({failure or 'no file came'})", phase.case_id, "see the error log")
    return new[0]


def _over(scene: Any, original: Any, phase: PhaseInScene) -> Any:
    """A segmentation over the DICOM volume itself, voxel for voxel; what lies above the volume in the scene is no part
    of its DICOM coordinates."""
    mask = mask_of(phase.segmentation, node_geometry(phase.image))
    node = add_segmentation(scene, original, f"{LIVER.name} {phase.phase}", (LIVER,))
    node.SetAndObserveTransformNodeID(None)
    set_labels(node, Volume(mask.array, node_geometry(original)))
    return node


def _export(scene: Any, node: Any, original: Any, folder: Path) -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = _study_of(scene, original)[0]
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, study)
    else:
        item = hierarchy.CreateItem(study, node)
    exporter = slicer.modules.dicomPlugins[EXPORTER]()
    exportables = exporter.examineForExport(item)
    if not exportables:
        return "the exporter does not know what to do with it"
    for exportable in exportables:
        exportable.directory = str(folder)
    return str(exporter.export(exportables))


def _remove(scene: Any, node: Any) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.RemoveItem(item, False, False)
    display = node.GetDisplayNode()
    scene.RemoveNode(node)
    if display is not None and scene.IsNodePresent(display):
        scene.RemoveNode(display)


def _study_of(scene: Any, node: Any) -> tuple[int, str]:
    """The item above a node in the Subject Hierarchy, and its DICOM UID; empty: there is none."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    study = hierarchy.GetItemParent(item) if item else 0
    uid = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMUIDName()
    return study, hierarchy.GetItemUID(study, uid) if study else ""


def _same_image(one: Any, other: Any) -> bool:
    try:
        if not world_geometry(one).same_grid(world_geometry(other)):
            return False
    except GeometryError:
        return False
    first, second = _voxels(one), _voxels(other)
    few = (slice(None, None, _STEP),) * 3
    return bool(np.array_equal(first[few], second[few]) and np.array_equal(first, second))


def _voxels(node: Any) -> Any:
    """The image of a node ``[z, y, x]``, not copied."""
    image = node.GetImageData()
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])

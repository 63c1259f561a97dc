"""Volumes that are in the scene already, also from DICOM: which phase each of them may be. Free of Qt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import slicer

from LiverSegSSLLib.cohort.phase import PhaseName, canonical_b_value, parse_phase
from LiverSegSSLPanel.scene.study import STUDY

DicomValue = Callable[[str, str], str]
"""The value of a tag (``0008,103e``) of an instance, by its UID; empty: unknown."""

INSTANCES = "DICOM.instanceUIDs"
SERIES_DESCRIPTION, B_VALUE = "0008,103e", "0018,9087"

_SERIES_NUMBER = re.compile(r"^\s*\d+\s*:\s*")  # the DICOM module writes "11: t1_vibe_fs_tra_20min"
_COPY_NUMBER = re.compile(r"[_ ]\d{1,2}$")  # and the scene "t1_vibe_fs_tra_20min_1"


@dataclass(frozen=True)
class LoadedVolume:
    """A scalar volume of the user. ``phase`` as its names say it (empty: they do not), ``b_value`` in s/mm²."""

    node_id: str
    name: str
    patient: str = ""
    study: str = ""
    phase: str = ""
    b_value: int | None = None


def volumes_in_scene(scene: Any, dicom_value: DicomValue | None = None) -> list[LoadedVolume]:
    """The scalar volumes of the scene that are not ours, in the order in which they came.

    :param dicom_value: asks the DICOM database, where there is one.
    """
    found = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    found.UnRegister(None)  # VTK hands over a collection that is the caller's to free
    nodes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    return [_describe(scene, node, dicom_value) for node in nodes if _is_picture(node)]


def recognise(names: Iterable[str]) -> PhaseName | None:
    """The phase that the first of some names says which says any: node name, series description, …

    >>> recognise(["11: t1_vibe_fs_tra_20min_1"]).phase
    <Phase.GED4: 'GED4'>
    """
    for name in names:
        plain = _SERIES_NUMBER.sub("", name)
        phase = parse_phase(plain) or parse_phase(_COPY_NUMBER.sub("", plain))
        if phase is not None:
            return phase
    return None


def suggested_choice(volumes: Sequence[LoadedVolume]) -> dict[str, str]:
    """Node id → phase: one volume a phase, all of one study – the one of which most phases were recognised.

    Of several diffusion images the one nearest to b = 800 s/mm²; else the one that came last: a series that was
    repeated was repeated for a reason.
    """
    best: dict[str, LoadedVolume] = {}
    for key in dict.fromkeys((volume.patient, volume.study) for volume in volumes):
        one: dict[str, LoadedVolume] = {}
        for volume in volumes:
            if (volume.patient, volume.study) == key and volume.phase:
                rival = one.get(volume.phase)
                if rival is None or _b_distance(volume) <= _b_distance(rival):
                    one[volume.phase] = volume
        if len(one) > len(best):
            best = one
    return {volume.node_id: phase for phase, volume in best.items()}


def _describe(scene: Any, node: Any, dicom_value: DicomValue | None) -> LoadedVolume:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    instance = (node.GetAttribute(INSTANCES) or "").split()[:1]

    def tag(name: str) -> str:
        return dicom_value(instance[0], name) if dicom_value is not None and instance else ""

    names = [tag(SERIES_DESCRIPTION), node.GetName() or "", hierarchy.GetItemName(item) if item else ""]
    phase = recognise(names)
    b_value = None if phase is None else phase.b_value
    if phase is not None and phase.phase == "DWI" and b_value is None and re.fullmatch(r"\d+(\.0*)?", tag(B_VALUE)):
        b_value = round(float(tag(B_VALUE)))
    return LoadedVolume(
        node.GetID(),
        node.GetName() or "",
        _above(hierarchy, item, constants.GetDICOMLevelPatient()),
        _above(hierarchy, item, constants.GetDICOMLevelStudy()),
        "" if phase is None else phase.phase.value,
        b_value,
    )


def _above(hierarchy: Any, item: int, level: str) -> str:
    ancestor = hierarchy.GetItemAncestorAtLevel(item, level) if item else 0
    return str(hierarchy.GetItemName(ancestor)) if ancestor else ""


def _is_picture(node: Any) -> bool:
    """Whether a node holds one grey value a voxel, in space, and is the user's."""
    image = node.GetImageData()
    return (
        not node.GetAttribute(STUDY)
        and not node.IsA("vtkMRMLLabelMapVolumeNode")
        and not node.GetHideFromEditors()
        and image is not None
        and image.GetNumberOfScalarComponents() == 1
        and min(image.GetDimensions()) > 1
    )


def _b_distance(volume: LoadedVolume) -> float:
    return 0.0 if volume.phase != "DWI" else abs((volume.b_value or 0) - canonical_b_value())

"""One study of ours in the scene: its images, label maps and overlays, each tagged with what it is.

All that is known about the study stands in attributes of its nodes, so a saved scene, a deleted node or a closed scene
leave nothing behind that says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from LiverSegSSLLib.volume import Volume
from LiverSegSSLPanel.scene import subject_hierarchy
from LiverSegSSLPanel.scene.segmentations import LIVER, Label, add_segmentation, set_labels
from LiverSegSSLPanel.scene.volumes import add_volume, set_grey_window

STUDY = "LiverSegSSL.Study"
PATIENT = "LiverSegSSL.Patient"
CASE = "LiverSegSSL.Case"
PHASE = "LiverSegSSL.Phase"
ROLE = "LiverSegSSL.Role"
LABEL = "LiverSegSSL.Label"
"""Attribute of a segmentation: id in the ledger of the label that it shows; empty: it was begun here."""

IMAGE, SEGMENTATION, OVERLAY = "image", "label", "overlay"

_COLOURS = ((0.2, 0.6, 1.0), (1.0, 0.85, 0.1), (0.3, 0.85, 0.35), (0.9, 0.35, 0.85), (0.1, 0.85, 0.85))
"""Of outlines: told from the label's own, and from each other."""


@dataclass(frozen=True)
class PhaseInScene:
    """One phase of the loaded study. A node that the user has deleted is ``None``.

    ``label_id``: the label that the segmentation was loaded from; empty: none.
    """

    case_id: str
    phase: str
    image: Any
    segmentation: Any
    label_id: str
    overlays: tuple[Any, ...] = ()


@dataclass(frozen=True)
class StudyInScene:
    """The study of ours that is in the scene; ``phases`` in the order in which they were loaded."""

    key: str
    patient: str
    phases: tuple[PhaseInScene, ...]

    def phase(self, case_id: str) -> PhaseInScene | None:
        """The phase of a case, if it is there."""
        return next((phase for phase in self.phases if phase.case_id == case_id), None)


def add_phase(
    scene: Any, study: str, patient: str, case_id: str, phase: str, image: Volume, label: Volume | None, label_id: str
) -> PhaseInScene:
    """Show one phase of a study: its image, and a segmentation (empty without a label), under patient and study."""
    shown = add_volume(scene, image, f"{study} {phase}")
    set_grey_window(shown, image.array, phase == "CT")
    segmentation = add_segmentation(scene, shown, f"{study} {phase} liver", (LIVER,))
    if label is not None:
        set_labels(segmentation, label)
    for node, role in ((shown, IMAGE), (segmentation, SEGMENTATION)):
        _tag(node, study, patient, case_id, phase, role)
    segmentation.SetAttribute(LABEL, label_id)
    subject_hierarchy.place(scene, patient, study, [shown, segmentation])
    return PhaseInScene(case_id, phase, shown, segmentation, label_id)


def add_overlay(scene: Any, phase: PhaseInScene, overlay: Volume, name: str) -> Any:
    """Show a probability or a doubt (0 to 1) over a phase; returns the volume node.

    It is transparent where it is next to nothing, and goes when the study goes.
    """
    node = add_volume(scene, overlay, f"{phase.image.GetName()} {name}")
    display = node.GetDisplayNode()
    display.SetWindowLevelMinMax(0.0, 1.0)
    display.SetAutoThreshold(False)
    display.SetThreshold(0.05, 1.0)
    display.SetApplyThreshold(True)
    if scene.GetNodeByID("vtkMRMLColorTableNodeFileColdToHotRainbow.txt") is not None:
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeFileColdToHotRainbow.txt")
    if phase.image.GetTransformNodeID():
        node.SetAndObserveTransformNodeID(phase.image.GetTransformNodeID())
    study, patient = phase.image.GetAttribute(STUDY), phase.image.GetAttribute(PATIENT)
    _tag(node, study, patient, phase.case_id, phase.phase, OVERLAY)
    subject_hierarchy.place(scene, patient, study, [node])
    return node


def add_outline(scene: Any, phase: PhaseInScene, mask: Volume, name: str, number: int) -> Any:
    """Show another mask of a phase as a thin line, where its label is shown; returns the segmentation node.

    :param number: chooses the colour.
    """
    colour = _COLOURS[number % len(_COLOURS)]
    segment = Label(LIVER.value, name, colour, LIVER.terminology)
    node = add_segmentation(scene, phase.image, f"{phase.image.GetName()} {name}", (segment,))
    set_labels(node, mask)
    display, label = node.GetDisplayNode(), phase.segmentation.GetDisplayNode()
    display.SetVisibility2DFill(False)
    display.SetVisibility2DOutline(True)
    display.SetVisibility3D(False)
    for index in range(label.GetNumberOfViewNodeIDs()):
        display.AddViewNodeID(label.GetNthViewNodeID(index))
    study, patient = phase.image.GetAttribute(STUDY), phase.image.GetAttribute(PATIENT)
    _tag(node, study, patient, phase.case_id, phase.phase, OVERLAY)
    subject_hierarchy.place(scene, patient, study, [node])
    return node


def remove_node(scene: Any, node: Any) -> None:
    """Take one node of ours out of the scene, with its display and storage nodes."""
    helpers = [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
    helpers += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
    subject_hierarchy.forget(scene, node)
    scene.RemoveNode(node)
    for helper in helpers:
        if helper is not None and scene.IsNodePresent(helper):
            scene.RemoveNode(helper)


def study_in_scene(scene: Any) -> StudyInScene | None:
    """The study of ours that is in the scene, from the attributes of its nodes; ``None``: there is none."""
    nodes = our_nodes(scene)
    if not nodes:
        return None
    cases: dict[str, list[Any]] = {}
    for node in nodes:
        cases.setdefault(node.GetAttribute(CASE), []).append(node)
    phases = []
    for case_id, group in cases.items():
        by_role: dict[str, list[Any]] = {}
        for node in group:
            by_role.setdefault(node.GetAttribute(ROLE), []).append(node)
        segmentation = next(iter(by_role.get(SEGMENTATION, [])), None)
        phases.append(
            PhaseInScene(
                case_id,
                group[0].GetAttribute(PHASE),
                next(iter(by_role.get(IMAGE, [])), None),
                segmentation,
                (segmentation.GetAttribute(LABEL) or "") if segmentation is not None else "",
                tuple(by_role.get(OVERLAY, ())),
            )
        )
    return StudyInScene(nodes[0].GetAttribute(STUDY), nodes[0].GetAttribute(PATIENT), tuple(phases))


def remove_study(scene: Any) -> None:
    """Take what is ours out of the scene, with its display and storage nodes; what is the user's stays."""
    for node in our_nodes(scene):
        remove_node(scene, node)
    subject_hierarchy.remove_empty(scene)


def our_nodes(scene: Any) -> list[Any]:
    """All nodes of ours, in the order in which they came into the scene."""
    nodes = []
    for kind in ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode"):
        found = scene.GetNodesByClass(kind)
        found.UnRegister(None)  # VTK hands over a collection that is the caller's to free
        nodes += [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    return [node for node in nodes if node.GetAttribute(STUDY)]


def _tag(node: Any, study: str, patient: str, case_id: str, phase: str, role: str) -> None:
    for name, value in ((STUDY, study), (PATIENT, patient), (CASE, case_id), (PHASE, phase), (ROLE, role)):
        node.SetAttribute(name, value)

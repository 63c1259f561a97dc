"""Patient and study in the Subject Hierarchy. Items of ours bear an attribute; a user's items are never touched."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

ITEM = "LiverSegSSL.Item"
"""Attribute of the items that we made: ``patient`` or ``study``."""


def place(scene: Any, patient: str, study: str, nodes: list[Any]) -> None:
    """Put nodes under patient and study, making those items where they are missing."""
    hierarchy = _hierarchy(scene)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    top = hierarchy.GetSceneItemID()
    person = _ours(hierarchy, top, patient, "patient")
    if person is None:
        person = hierarchy.CreateSubjectItem(top, patient)
        hierarchy.SetItemAttribute(person, ITEM, "patient")
        hierarchy.SetItemAttribute(person, constants.GetDICOMPatientIDAttributeName(), patient)
    examination = _ours(hierarchy, person, study, "study")
    if examination is None:
        examination = hierarchy.CreateStudyItem(person, study)
        hierarchy.SetItemAttribute(examination, ITEM, "study")
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, examination)
        else:
            hierarchy.CreateItem(examination, node)


def placement(scene: Any, node: Any) -> tuple[str, str] | None:
    """Names of the patient and the study that a node stands under; ``None``: it stands elsewhere."""
    hierarchy = _hierarchy(scene)
    examination = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
    if not examination or not hierarchy.HasItemAttribute(examination, ITEM):
        return None
    return hierarchy.GetItemName(hierarchy.GetItemParent(examination)), hierarchy.GetItemName(examination)


def forget(scene: Any, node: Any) -> None:
    """Take the item of a node away, leaving the node."""
    hierarchy = _hierarchy(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.RemoveItem(item, False, False)


def remove_empty(scene: Any) -> None:
    """Take away the studies and patients of ours under which nothing is left."""
    hierarchy = _hierarchy(scene)
    for level in ("study", "patient"):
        for item in _children(hierarchy, hierarchy.GetSceneItemID(), recursive=True):
            if hierarchy.GetItemAttribute(item, ITEM) == level and not _children(hierarchy, item):
                hierarchy.RemoveItem(item, False, False)


def _hierarchy(scene: Any) -> Any:
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _ours(hierarchy: Any, parent: int, name: str, level: str) -> int | None:
    for item in _children(hierarchy, parent):
        if hierarchy.GetItemAttribute(item, ITEM) == level and hierarchy.GetItemName(item) == name:
            return item
    return None


def _children(hierarchy: Any, item: int, recursive: bool = False) -> list[int]:
    ids = vtk.vtkIdList()
    hierarchy.GetItemChildren(item, ids, recursive)
    return [ids.GetId(index) for index in range(ids.GetNumberOfIds())]

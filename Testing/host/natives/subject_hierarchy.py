"""What the module Subject Hierarchy does by itself when a node leaves the scene: its item goes too."""

from typing import Any

import slicer
import vtk

from ..rules.observers import observe_quietly


def follow_removals(scene: Any) -> None:
    """Remove the items of nodes that are removed, as the application does."""

    def forget(caller: Any, event: Any, node: Any) -> None:
        if scene.IsClosing() or node.IsA("vtkMRMLSubjectHierarchyNode"):
            return
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
        if item:
            hierarchy.RemoveItem(item, False, False)

    forget.CallDataType = vtk.VTK_OBJECT  # type: ignore[attr-defined]
    observe_quietly(scene, scene.NodeAboutToBeRemovedEvent, forget)

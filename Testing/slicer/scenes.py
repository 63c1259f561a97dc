"""A real MRML scene on slicer-core with the logics that the bridge meets in the application. Nothing is faked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def make_scene() -> tuple[Any, SimpleNamespace]:
    """A scene, and what ``slicer.modules`` would hold (whoever uses the scene must keep it)."""
    import slicer

    scene = slicer.vtkMRMLScene()
    application = slicer.vtkSlicerApplicationLogic()
    application.SetMRMLScene(scene)
    modules = SimpleNamespace(application=application)
    for name, kind in (("segmentations", "vtkSlicerSegmentationsModuleLogic"), ("volumes", "vtkSlicerVolumesLogic")):
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(application)
        logic.SetMRMLScene(scene)
        setattr(modules, name, SimpleNamespace(logic=lambda logic=logic: logic))
    return scene, modules

"""Reading and writing nodes through their storage nodes: what slicer.util's load and save functions call."""

from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtCore

KINDS = {
    "VolumeFile": "vtkMRMLScalarVolumeNode",
    "LabelVolumeFile": "vtkMRMLLabelMapVolumeNode",
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "TableFile": "vtkMRMLTableNode",
    "ColorTableFile": "vtkMRMLColorTableNode",
    "TextFile": "vtkMRMLTextNode",
    "TransformFile": "vtkMRMLLinearTransformNode",
    "ModelFile": "vtkMRMLModelNode",
}


class qSlicerCoreIOManager(QtCore.QObject):
    """One reader and one writer for each kind of node: its default storage node."""

    newFileLoaded = QtCore.Signal(dict)

    def loadNodes(self, kind: str, properties: dict, collection: Any = None, messages: Any = None) -> bool:
        path = properties["fileName"]
        if kind == "SceneFile":
            return self.loadScene(path, properties.get("clear", False))
        if kind == "VolumeFile" and properties.get("labelmap"):
            kind = "LabelVolumeFile"
        if kind not in KINDS:
            raise NotImplementedError(f"The stand-in's IO manager does not read {kind}")
        if not Path(path).is_file():
            return False
        node = self._read(KINDS[kind], path, properties.get("name") or _stem(path))
        if node is not None and collection is not None:
            collection.AddItem(node)
        return node is not None

    def _read(self, class_name: str, path: str, name: str) -> Any:
        scene = slicer.mrmlScene
        if class_name in ("vtkMRMLScalarVolumeNode", "vtkMRMLLabelMapVolumeNode"):
            options = 1 if class_name == "vtkMRMLLabelMapVolumeNode" else 0
            return slicer.modules.volumes.logic().AddArchetypeVolume(path, name, options)
        node = scene.AddNewNodeByClass(class_name, name)
        node.AddDefaultStorageNode(path)
        if node.GetStorageNode().ReadData(node):
            node.CreateDefaultDisplayNodes()
            return node
        scene.RemoveNode(node.GetStorageNode())
        scene.RemoveNode(node)
        return None

    def saveNodes(self, kind: str, properties: dict, messages: Any = None) -> bool:
        if kind == "SceneFile":
            return self.saveScene(properties["fileName"])
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node is None:
            return False
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        storage = node.GetStorageNode()
        storage.SetFileName(str(properties["fileName"]))
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def fileWriterFileType(self, node: Any, fileFormat: str = "") -> str:
        return "NodeFile"

    def loadScene(self, path: str, clear: bool = False) -> bool:
        if path.endswith(".mrb"):
            return bool(slicer.mrmlScene.ReadFromMRB(path, clear))
        slicer.mrmlScene.SetURL(path)
        return bool(slicer.mrmlScene.Connect() if clear else slicer.mrmlScene.Import())

    def saveScene(self, path: str, screenshot: Any = None) -> bool:
        if path.endswith(".mrb"):
            return bool(slicer.mrmlScene.WriteToMRB(path))
        slicer.mrmlScene.SetURL(path)
        slicer.mrmlScene.SetRootDirectory(str(Path(path).parent))
        return bool(slicer.mrmlScene.Commit())


def _stem(path: str) -> str:
    name = Path(path).name
    for ending in (".nii.gz", ".seg.nrrd", ".seg.nhdr"):
        if name.endswith(ending):
            return name[: -len(ending)]
    return Path(path).stem

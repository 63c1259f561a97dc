"""DICOM in the application: its database, and the segmentation exporter as a module meets it.

The real exporter (Modules/Scripted/DICOMPlugins/DICOMSegmentationPlugin.py) hands label maps and a JSON text to dcmqi,
which writes the DICOM file. Here the methods have its names and refuse what it refuses, and the file holds that JSON.
"""

import json
import time
from pathlib import Path
from typing import Any, ClassVar

import slicer
import vtk
from PySide6 import QtCore

from .stored import stored

INSTANCES = "DICOM.instanceUIDs"
EXPORTER = "DICOMSegmentationPlugin"


class qSlicerDICOMExportable(QtCore.QObject):
    """What can be exported: an item of the Subject Hierarchy, with a folder to be filled in and DICOM tags."""

    name, setName = stored("name", "QString", "")
    tooltip, setTooltip = stored("tooltip", "QString", "")
    pluginClass, setPluginClass = stored("pluginClass", "QString", "")
    directory, setDirectory = stored("directory", "QString", "")
    subjectHierarchyItemID, setSubjectHierarchyItemID = stored("subjectHierarchyItemID", "int", 0)
    confidence, setConfidence = stored("confidence", "double", 0.0)

    def __init__(self) -> None:
        super().__init__()
        self._tags: dict[str, str] = {}

    def setTag(self, name: str, value: str = "") -> None:
        self._tags[name] = value

    def tag(self, name: str) -> str:
        return self._tags.get(name, "")


class ctkDICOMDatabase(QtCore.QObject):
    """Which file holds which image, by SOP instance UID; of their tags it knows nothing."""

    def __init__(self, files: dict[str, str] | None = None) -> None:
        super().__init__()
        self._files = dict(files or {})
        self._inserted: list[str] = []

    isOpen = QtCore.Property(bool, lambda self: True)

    def instanceValue(self, uid: str, tag: str) -> str:
        return ""

    def fileForInstance(self, uid: str) -> str:
        return self._files.get(uid, "")

    def insert(self, path: str) -> None:
        self._inserted.append(path)


class DICOMSegmentationPluginClass:
    """The exporter's hook, as `slicer.modules.dicomPlugins[EXPORTER]()` gives it."""

    loadType = "DICOMSegmentation"

    def examineForExport(self, item: int) -> list[Any]:
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        node = hierarchy.GetItemDataNode(item)
        if node is None or not node.IsA("vtkMRMLSegmentationNode"):
            return []
        exportable = slicer.qSlicerDICOMExportable()
        exportable.name, exportable.confidence, exportable.subjectHierarchyItemID = self.loadType, 1.0, item
        exportable.setTag("SeriesDescription", node.GetName())
        return [exportable]

    def export(self, exportables: list[Any]) -> str:
        """An error, or an empty text; never raises."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        for exportable in exportables:
            item = exportable.subjectHierarchyItemID
            try:
                told = Exporter(hierarchy.GetItemDataNode(item)).describe()
            except ValueError as error:
                return str(error)
            told["SeriesDescription"] = exportable.tag("SeriesDescription")
            told["study"] = hierarchy.GetItemUID(hierarchy.GetItemParent(item), "DICOM")
            file = Path(exportable.directory) / f"subject_hierarchy_export.SEG{time.strftime('%Y-%m-%d_%H%M%S')}.dcm"
            file.write_text(json.dumps(told), encoding="utf-8")
            slicer.dicomDatabase.insert(str(file))
        return ""


class Exporter:
    """What the real one asks of a segmentation, and in which order."""

    TYPES: ClassVar = ("MANUAL", "SEMIAUTOMATIC", "AUTOMATIC")

    def __init__(self, node: Any) -> None:
        self.node = node

    def describe(self) -> dict[str, Any]:
        """What dcmqi would be given.

        Raises:
            ValueError: as the real exporter ends.
        """
        segmentation = self.node.GetSegmentation()
        segments = [segmentation.GetNthSegment(index) for index in range(segmentation.GetNumberOfSegments())]
        full = [segment for segment in segments if not self._is_empty(segment)]
        if not full:
            raise ValueError("No non empty segments found.")
        if len(full) != len(segments):
            raise ValueError("Empty segments found in segmentation.")  # the real one asks the person
        return {"segments": [self._segment(segment) for segment in full], **self._image()}

    @staticmethod
    def _is_empty(segment: Any) -> bool:
        name = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
        scalars = segment.GetRepresentation(name).GetPointData().GetArray("ImageScalars")
        return scalars is None or scalars.GetValueRange() == (0, 0)

    def _segment(self, segment: Any) -> dict[str, Any]:
        entry = slicer.vtkSlicerTerminologyEntry()
        slicer.modules.terminologies.logic().DeserializeTerminologyEntry(
            _tag(segment, segment.GetTerminologyEntryTagName()), entry
        )
        category, kind = entry.GetCategoryObject(), entry.GetTypeObject()
        if category is None or kind is None or not kind.GetCodeValue():
            raise ValueError(f"Segment {segment.GetName()} has missing attributes. Make sure to set terminology.")
        made, method = (
            _tag(segment, "DICOM.SegmentAlgorithmType") or "MANUAL",
            _tag(segment, "DICOM.SegmentAlgorithmName"),
        )
        if made not in self.TYPES:
            raise ValueError(f"Segment {segment.GetName()} has invalid attribute for SegmentAlgorithmType.")
        if made != "MANUAL" and not method:
            raise ValueError(f"Segment {segment.GetName()} has missing SegmentAlgorithmName")
        return {
            "label": segment.GetName(),
            "category": category.GetCodeValue(),
            "type": kind.GetCodeValue(),
            "algorithm": [made, method],
            **self._labelmap(segment),
        }

    def _labelmap(self, segment: Any) -> dict[str, Any]:
        ids = vtk.vtkStringArray()
        ids.InsertNextValue(self.node.GetSegmentation().GetSegmentIdBySegment(segment))
        merged = slicer.vtkOrientedImageData()
        self.node.GenerateMergedLabelmapForAllSegments(merged, 0, None, ids)
        matrix = vtk.vtkMatrix4x4()
        merged.GetImageToWorldMatrix(matrix)
        scalars = vtk.util.numpy_support.vtk_to_numpy(merged.GetPointData().GetScalars())
        return {
            "extent": list(merged.GetExtent()),
            "voxels": int((scalars > 0).sum()),
            "ijk_to_ras": [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)],
        }

    def _image(self) -> dict[str, Any]:
        node = self.node.GetNodeReference(self.node.GetReferenceImageGeometryReferenceRole())
        if node is None:
            raise ValueError("Referenced volume is not found for the segmentation.")
        uids = (node.GetAttribute(INSTANCES) or "").split()
        if not uids:
            raise ValueError(f"VolumeNode {node.GetName()} has no attribute {INSTANCES}")
        missing = [uid for uid in uids if not slicer.dicomDatabase.fileForInstance(uid)]
        if missing:
            raise ValueError(
                f"Referenced volume files were not found in the DICOM database (missing {len(missing)} files out of "
                f"{len(uids)})."
            )
        return {"image": node.GetName(), "instances": len(uids)}


def _tag(segment: Any, name: str) -> str:
    text = vtk.reference("")
    return str(text) if segment.GetTag(name, text) else ""

"""The body of LiverSegSSLLogic: all that the panel can do, without a window. Free of Qt.

What takes long is a job in a process of its own and returns a handle (see :mod:`LiverSegSSLPanel.jobs`), or a task in
pieces (:mod:`LiverSegSSLPanel.task`); what goes wrong is a LiverSegError, a line that says what, where and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import slicer

from LiverSegSSLPanel.logic_review import ReviewLogic
from LiverSegSSLPanel.task import Task

if TYPE_CHECKING:
    from LiverSegSSLPanel.cohort_rows import StudyRow
    from LiverSegSSLPanel.scene.loaded import LoadedVolume


class Logic(ReviewLogic):
    """One cohort, its workspace, and the study of it that is in the scene.

    :param scene: ``None``: Slicer's.
    :param python: the Python that runs the jobs; ``None``: Slicer's own.
    :param device: of the jobs: ``auto``, ``cuda``, ``mps`` or ``cpu``.
    :param workers: processes that a job may use at once; 0: one for each core.
    """

    def volumesInScene(self) -> list[LoadedVolume]:
        """The volumes of the scene that are not ours, also from DICOM, each with the phase that its names say."""
        from LiverSegSSLPanel.scene.loaded import volumes_in_scene

        database = getattr(slicer, "dicomDatabase", None)
        if database is None or not database.isOpen:
            return volumes_in_scene(self.scene, None)
        return volumes_in_scene(self.scene, database.instanceValue)

    def beginAdopting(self, choice: Mapping[str, str], folder: str | Path, study: str = "study1") -> Task[Path]:
        """Write volumes of the scene as a study; returns its folder. See :meth:`adoptVolumes`."""
        from LiverSegSSLPanel.adopting import adopt

        return Task(adopt(self.scene, choice, Path(folder).expanduser().absolute(), study), self._opener)

    def adoptVolumes(self, choice: Mapping[str, str], folder: str | Path, study: str = "study1") -> list[StudyRow]:
        """Make a study of volumes that are in the scene, and open the folder as a cohort.

        The volumes stay as they are; their copies lie where they are seen, transforms hardened.

        :param choice: node id → phase, see :meth:`volumesInScene`.
        :param folder: gets ``<study>/<phase>.nii.gz``; other studies there belong to the cohort too.
        :param study: its name in files; no name of a person.
        :raises CohortError: nothing or a phase twice was chosen, or there is such a study.
        :raises GeometryError: the transform above a volume bends or shears.
        """
        return self.openCohort(self.beginAdopting(choice, folder, study).wait().parent)

    def drawnCases(self) -> list[str]:
        """The cases of the loaded study whose segmentation is not empty."""
        from LiverSegSSLPanel.scene.segmentations import is_drawn

        study = self.loadedStudy()
        phases = study.phases if study is not None else ()
        return [one.case_id for one in phases if one.segmentation is not None and is_drawn(one.segmentation)]

    def exportSegmentation(self, caseId: str, file: str | Path) -> Path:
        """Save the segmentation of a loaded case with names, terminology and colours (``.seg.nrrd``)."""
        from LiverSegSSLPanel.exporting import write_segmentation

        return write_segmentation(self.desk, caseId, file)

    def canExportDicomSeg(self, caseId: str) -> tuple[bool, str]:
        """Whether the label of a loaded case can be written as DICOM SEG, and if not, why, in words."""
        from LiverSegSSLPanel.scene.dicom_seg import why_not

        study = self.loadedStudy()
        phase = study.phase(caseId) if study is not None else None
        reason = "its study is not loaded" if phase is None else why_not(self.scene, phase)
        return not reason, reason

    def exportDicomSeg(self, caseId: str, folder: str | Path) -> Path:
        """Write the label of a loaded case, as drawn, as a DICOM segmentation object; returns the file.

        See :func:`LiverSegSSLPanel.scene.dicom_seg.export_dicom_seg`; it names the patient, as the images do.

        :raises BadInputError: it is not possible; :meth:`canExportDicomSeg` says why.
        """
        from LiverSegSSLPanel.exporting import write_dicom_seg

        return write_dicom_seg(self.scene, self.desk, self.store, caseId, folder)

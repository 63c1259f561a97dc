"""The built-in study in the module Sample Data: digital phantoms, computed on this computer; nothing is downloaded."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from LiverSegSSLPanel.library import panel_readiness
from LiverSegSSLPanel.timers import Timer

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob

CATEGORY = "LiverSegSSL"
PRESET = "demo"
POLL_MS = 200
STATUS_MS = 5000

Log = Callable[[str], None]

_RUNNING: list[SampleStudy] = []
"""The one that is being made: nobody else holds it while the timer runs."""


def register(icons: Path) -> None:
    """Offer the built-in study.

    :param icons: folder of the module's icons.
    """
    from SampleData import SampleDataLogic

    SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName=_("Liver MRI in all phases (phantom)"),
        uris=[],
        fileNames=[],
        thumbnailFileName=str(icons / "BuiltInStudy.png"),
        customDownloader=load_sample,
    )


def sample_folder() -> Path:
    """Where the built-in study is kept: a folder that a person finds, and may delete."""
    return Path(slicer.app.defaultScenePath or slicer.app.temporaryPath) / "LiverSegSSL built-in study"


def load_sample(source: Any = None) -> None:
    """Make the built-in cohort and load the phases of its first study, without holding the window up."""
    readiness = panel_readiness()
    if not readiness.ok:
        _say(_("{reason}: open the module LiverSegSSL and install it there.").format(reason=readiness.reason))
    elif not _RUNNING:
        from LiverSegSSLPanel.logic_jobs import JobLogic

        _RUNNING.append(SampleStudy(JobLogic().sampleCohort(sample_folder(), PRESET), _say))


class SampleStudy:
    """A job that makes the cohort, and a timer that loads the first study as soon as it is there.

    :param say: is given a sentence at a time.
    """

    def __init__(self, job: RunningJob, say: Log) -> None:
        self._job = job
        self._say = say
        self._to_load: list[Path] | None = None
        self._done = -1
        self._timer = Timer(self._poll, POLL_MS, once=True)  # saying something lets events in: never twice at once
        self._timer.start()
        say(_("Computing the built-in study …"))

    def _poll(self) -> None:
        self._job.poll()
        if self._to_load is None:
            self._to_load = _first_study(self._job)
        if self._to_load:
            self._load(self._to_load.pop(0))
        elif self._job.running:
            self._tell_progress()
        else:
            self._job.poll()
            self._end()
            return
        self._timer.start()

    def _load(self, file: Path) -> None:
        name = f"{file.parent.name} {file.name.removesuffix('.nii.gz')}"
        slicer.util.loadVolume(str(file), properties={"name": name})
        self._say(_("Loaded {name}.").format(name=name))

    def _tell_progress(self) -> None:
        if self._job.total and self._job.done != self._done:
            self._done = self._job.done
            self._say(_("{done} of {total} studies are made").format(done=self._done, total=self._job.total))

    def _end(self) -> None:
        self._timer.cleanup()
        _RUNNING.remove(self)
        error = self._job.error()
        if error is not None:
            self._say(str(error))
            return
        self._say(
            _("The whole cohort is in {folder}: open that folder in the module LiverSegSSL.").format(
                folder=self._job.parameters["data"]
            )
        )


def _first_study(job: RunningJob) -> list[Path] | None:
    """The images of the first study of the cohort, which has a label; ``None``: it is not there yet."""
    from LiverSegSSLLib.cohort.phantom.spec import plan_studies, preset

    key = plan_studies(preset(job.parameters["preset"]))[0].key
    folder = next(Path(job.parameters["data"]).glob(f"*/Vendor_*/{key}"), None)
    return None if folder is None else sorted(file for file in folder.glob("*.nii.gz") if "mask" not in file.name)


def _say(sentence: str) -> None:
    """Tell the person in the log of the module Sample Data, if it is open, and in the status bar."""
    slicer.util.showStatusMessage(sentence, STATUS_MS)
    logging.getLogger(__name__).info(sentence)
    widget = getattr(slicer.modules, "SampleDataWidget", None)
    if widget is not None:
        widget.logMessage(sentence)

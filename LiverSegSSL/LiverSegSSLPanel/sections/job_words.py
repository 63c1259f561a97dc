"""Jobs in a clinician's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from LiverSegSSLPanel.jobs import RunningJob

_MINUTE_S = 60.0
_HOUR_MIN = 60


def is_long(job: RunningJob) -> bool:
    """Whether a person would want to know of it: all but the helpers that end in a moment."""
    return job.detached or job.verb in ("sample_cohort", "fetch_weights", "install", "export")


def job_name(job: RunningJob) -> str:
    """What a job does, in a word or two."""
    names = {
        "propose": _("Propose"),
        "score": _("Judge the proposals"),
        "train": _("Retrain"),
        "run": _("The whole loop"),
        "demo": _("The whole loop on the built-in study"),
        "compare": _("Compare ways to learn"),
        "predict": _("Segment every phase"),
        "evaluate": _("Measure"),
        "report": _("Write the report"),
        "export": _("Export"),
        "sample_cohort": _("Make the built-in study"),
        "fetch_weights": _("Download weights"),
        "install": _("Install packages"),
    }
    return names.get(job.verb, job.verb)


def state_in_words(job: RunningJob) -> str:
    """How far a job is, or how it ended."""
    if not job.running:
        error = job.error()
        return _("Done.") if error is None else str(error)
    if not job.stage:
        return _("Starting …")
    if not job.total:
        return f"{job.stage} …"
    return _("{stage}: {done} of {total}").format(stage=job.stage, done=job.done, total=job.total)


def time_left(seconds: float) -> str:
    """A time to come, as people say it."""
    if seconds < _MINUTE_S:
        return _("less than a minute left")
    minutes = round(seconds / _MINUTE_S)
    if minutes < _HOUR_MIN:
        return _("about {minutes} min left").format(minutes=minutes)
    return _("about {hours} h {minutes} min left").format(hours=minutes // _HOUR_MIN, minutes=minutes % _HOUR_MIN)

"""Slices that a person has corrected, carried through the volume: as a job, so that whoever waits is not held up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from LiverSegSSLLib.events import Reporter
from LiverSegSSLLib.propose.slices import propagate
from LiverSegSSLLib.volume import Volume, read_mask, read_volume, write_volume

if TYPE_CHECKING:
    from LiverSegSSLLib.propose.slices import Tracker


def propagate_slices(parameters: dict[str, Any], report: Reporter) -> dict[str, Any]:
    """Carry the slices ``slices`` (indices along ``axis`` of the array) of the mask ``drawn`` through its volume.

    ``previous``: the mask that was corrected, if there was one. ``image``: needed by the network, which takes part if
    ``network`` is true and its weights are on this computer. ``output``: where the whole mask goes.

    :returns: ``note`` (what was done, in words), ``method``, ``changed`` (slices along the axis).
    :raises GeometryError: image, mask and previous mask are not on one grid.
    """
    image = Path(parameters["image"])
    drawn = read_mask(Path(parameters["drawn"]))
    previous = read_mask(Path(parameters["previous"]), drawn.geometry) if parameters.get("previous") else None
    axis = int(parameters["axis"])
    tracker = _tracker(parameters, report) if parameters.get("network") else None
    volume = read_volume(image) if tracker is not None else drawn
    given = {int(index): drawn.array.take(int(index), axis) for index in parameters["slices"]}
    result = propagate(volume, given, axis=axis, previous=previous, tracker=tracker)
    mask = Volume((result.labels.array != 0).astype("uint8"), drawn.geometry, drawn.trailing_singleton)
    write_volume(mask, Path(parameters["output"]))
    return {
        "note": result.note,
        "method": result.method,
        "changed": list(result.changed),
        "files": {"Mask": parameters["output"]},
    }


def _tracker(parameters: dict[str, Any], report: Reporter) -> Tracker | None:
    from LiverSegSSLLib.propose.few_shot.few_shot import FewShot
    from LiverSegSSLLib.propose.few_shot.given_slices import slice_tracker

    settings = FewShot(device=parameters.get("device", "auto"), features=parameters.get("features", ""))
    tracker, reason = slice_tracker(settings)
    if tracker is None:
        report.info(f"without the network: {reason}", "propagate")
    return tracker

"""What the panel says of a training. Free of Qt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

if TYPE_CHECKING:
    from LiverSegSSLPanel.training import Outlook, RoundFigure
    from LiverSegSSLPanel.training_time import Expected

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def kinds_in_words() -> dict[str, str]:
    """What a case is to a training → the title of its column."""
    return {
        "expert": _("Expert"),
        "corrected": _("Corrected"),
        "accepted": _("Accepted"),
        "chosen": _("Proposed"),
        "left_out": _("Left out"),
        "unlabelled": _("No label"),
    }


def methods_in_words() -> dict[str, tuple[str, str]]:
    """Way to learn → its name, and a line that says what it is."""
    return {
        "supervised": (_("Supervised"), _("Learns from the labels alone.")),
        "cps": (
            _("Cross pseudo supervision (CPS)"),
            _("Two networks teach each other on the images without a label. A step takes 4.6 times as long."),
        ),
        "mean-teacher": (
            _("Mean teacher"),
            _("A slow average of the network teaches it on the images without a label. 2.4 times as long."),
        ),
        "bcp": (
            _("Bidirectional copy-paste (BCP)"),
            _("Labelled and unlabelled images are pasted into each other. 2.2 times as long."),
        ),
        "midss": (
            _("Mixed image styles (MiDSS)"),
            _("Labelled images take on the look of others; confident labels teach. 5.1 times as long."),
        ),
    }


def summary_in_words(outlook: Outlook, supervised: bool) -> str:
    """What a training learns from, as a sentence."""
    text = _("Learns from {persons} labels of persons and {chosen} proposals.").format(
        persons=outlook.total("expert", "corrected", "accepted"), chosen=outlook.total("chosen")
    )
    rest = outlook.total("left_out", "unlabelled")
    if rest and not supervised:
        text += " " + _("{rest} images teach without a label.").format(rest=rest)
    return text


def time_in_words(expected: Expected | None, preset: str, device: str) -> str:
    """What to know of the time before starting.

    :param device: ``cpu``: there is no GPU; ``cuda``, ``mps``: there is one; ``auto``: nobody knows.
    """
    on_gpu = _("On a GPU it has not been measured.")
    if device not in ("cpu", "auto"):
        return on_gpu
    if expected is None:
        slow = _("How long it takes without a GPU has not been measured.")
    elif expected.at_least:
        slow = _("Without a GPU it takes more than {time}: choose the preset “cpu”, or have a GPU.").format(
            time=duration(expected.seconds)
        )
    else:
        slow = _("Without a GPU it takes about {time}, as measured on two cores.").format(
            time=duration(expected.seconds)
        )
    warning = f"⚠ {slow}" if expected is not None and expected.at_least else slow
    return warning if device == "cpu" or preset == "cpu" else f"{warning} {on_gpu}"


def duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds >= 2 * _DAY_S:
        return _("{days} days").format(days=round(seconds / _DAY_S))
    if seconds >= 2 * _HOUR_S:
        return _("{hours} hours").format(hours=round(seconds / _HOUR_S))
    return _("{minutes} min").format(minutes=max(1, round(seconds / _MINUTE_S)))


def judged_in_words(judged: str) -> str:
    """What the quality of a network is measured with."""
    return {
        "dice": _("Dice on expert cases kept out"),
        "agreement": _("Agreement with proposals kept out"),
        "truth": _("Dice with the truth"),
    }[judged]


def figure_in_words(figure: RoundFigure) -> str:
    """Whose figure it is."""
    text = {
        "before": _("Round {number}, training before"),
        "trained": _("Round {number}, last training"),
        "proposed": _("Proposals of round {number}"),
        "final": _("Final masks"),
    }[figure.which]
    return text.format(number=figure.round)

"""What Propose says. Free of Qt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from slicer.i18n import tr as _

from LiverSegSSLPanel.proposing import MODEL, RECIPE, TRAININGS
from LiverSegSSLPanel.training_words import methods_in_words

if TYPE_CHECKING:
    from LiverSegSSLPanel.cohort_rows import PhaseCell, StudyRow
    from LiverSegSSLPanel.proposing import PhaseCount, TrainedModel


def method_names() -> dict[str, str]:
    """Method → its name in the list."""
    trainings = methods_in_words()
    return {
        RECIPE: _("As the recipe says"),
        "few-shot": _("Few-shot propagation (MedSAM2)"),
        "transfer": _("Transfer between the phases of a study"),
        "atlas": _("Atlas: from other patients"),
        MODEL: _("A trained model"),
        **{name: _("Train with {method}, then predict").format(method=trainings[name][0]) for name in TRAININGS},
    }


def method_line(method: str, recipe: str) -> str:
    """What a method does, in a line.

    :param recipe: what the chosen recipe says of itself.
    """
    if method in TRAININGS:
        _name, what = methods_in_words()[method]
        again = _("A training takes hours without a GPU; it learns from every label that a person vouches for.")
        return " ".join((what, again, _("Its curves are shown under Retrain.")))
    lines = {
        RECIPE: recipe,
        "few-shot": _(
            "Follows the liver from labelled volumes through each image. For phases whose contrast differs it looks at "
            "edges instead of brightness. A GPU helps much."
        ),
        "transfer": _("Registers each labelled phase onto the other phases of the same patient. Seconds for each."),
        "atlas": _("Lays labelled livers of other patients over each image and lets them vote. Half a minute each."),
        MODEL: _("Segments every case that no person vouches for with a network that was trained before."),
    }
    return lines[method]


def start_text(method: str) -> str:
    """What the button says that starts it."""
    if method in TRAININGS:
        return _("Train, then predict")
    return _("Predict") if method == MODEL else _("Propose")


def refusal_text(reason: str) -> str:
    """What the library has against it; where it names a command for the shell, the place in the panel instead."""
    what, found, ways = reason.partition(" – `liversegssl models")
    if not found:
        return reason
    text = _("{what}: download or import it in the section Set up.").format(what=what)
    _ways, without, rest = ways.partition("Without it: ")
    return f"{text} {without}{rest}." if without else text


def state_name(state: str) -> str:
    """State of a label, as the panel calls it."""
    names = {
        "expert": _("expert"),
        "corrected": _("corrected"),
        "accepted": _("accepted"),
        "proposed": _("proposed"),
        "rejected": _("rejected"),
        "none": _("no label"),
    }
    return names[state]


def support_text(row: StudyRow, cell: PhaseCell) -> str:
    """A labelled case in the list of those to propose from."""
    parts = [row.study, cell.phase, state_name(cell.state), row.vendor]
    return " · ".join(part for part in parts if part)


def phase_text(count: PhaseCount) -> str:
    """A phase in the list of those to propose for."""
    if count.open == count.cases:
        return _("{phase} · {cases} cases").format(phase=count.phase, cases=count.cases)
    return _("{phase} · {cases} cases, {labelled} of them labelled").format(
        phase=count.phase, cases=count.cases, labelled=count.cases - count.open
    )


def model_text(model: TrainedModel) -> str:
    """A model in the list of those that were trained."""
    methods = methods_in_words()
    method = methods[model.method][0] if model.method in methods else model.method
    return f"{model.name} · {method} · {model.trained:%Y-%m-%d %H:%M}"


def outcome(result: Mapping[str, Any]) -> str:
    """What a job has made, from what it says of itself."""
    counts = result.get("counts", {})
    if "predicted" in counts:
        if not counts["predicted"]:
            return _("Every case had a label of a person: nothing was to be predicted.")
        return _("{predicted} cases were segmented. They wait in Review, the most doubtful first.").format(**counts)
    if not counts.get("proposed"):
        return _("No label could be made: none of these cases can be reached from the chosen labels.")
    return _(
        "{proposed} labels were made; {kept} pass every score and are kept for training. All wait in Review, the most "
        "doubtful first."
    ).format(**counts)

"""Bad recipes, plans, options and corrections: what a person asks for."""

from __future__ import annotations

import numpy as np

from Testing.bad_input.entry import Entry, after
from Testing.bad_input.place import Place
from Testing.bad_input.writers import body_and_liver, nifti, packed

LIVER = body_and_liver()[1]
SMALL = "name: mine\npropose: [{method: transfer}]\n"
MINE = r"mine\.yaml: .*"


def _recipe(name: str, text: str | bytes, says: str) -> Entry:
    def arrange(place: Place) -> list[str]:
        return ["propose", str(place.data), "--recipe", str(place.file("mine.yaml", text))]

    return Entry(name, arrange, says)


def _option(name: str, says: str, *options: str, verb: str = "propose") -> Entry:
    return Entry(name, lambda place: [verb, str(place.data), *options], says)


def _laughs() -> str:
    """Ten names, each ten times the one before: ten thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return "\n".join([*lines, SMALL + "phases: *a9"])


RECIPES = (
    _recipe("recipe-unknown-key", SMALL + "learns: {}", MINE + "does not know the key learns.*did you mean learn"),
    _recipe("recipe-unknown-key-inside", SMALL + "learn: {prset: cpu}", MINE + "learn.prset.*did you mean preset"),
    _recipe("recipe-unknown-phase", SMALL + "phases: [GDE4]", MINE + "cannot be 'GDE4'.*did you mean GED4"),
    _recipe("recipe-unknown-method", "name: mine\npropose: [{method: transfre}]", "transfre.*did you mean transfer"),
    _recipe(
        "recipe-unknown-method-option",
        "name: mine\npropose: [{method: transfer, options: {modle: rigid}}]",
        "modle.*did you mean model",
    ),
    _recipe("recipe-unknown-score", SMALL + "score: {entropie: {}}", "entropie.*did you mean entropy"),
    _recipe("recipe-lacks-a-key", "name: mine", MINE + "lacks the key propose"),
    _recipe("recipe-word-for-number", SMALL + "rounds: many", MINE + "rounds is wrong"),
    _recipe("recipe-number-for-list", SMALL + "phases: 7", MINE + "phases is wrong"),
    _recipe("recipe-map-for-list", "name: mine\npropose: {a: b}", MINE + "propose is wrong"),
    _recipe("recipe-word-for-map", SMALL + "learn: fast", MINE + "learn is wrong"),
    _recipe(
        "recipe-word-for-option",
        "name: mine\npropose: [{method: transfer, options: {spacing_mm: wide}}]",
        "spacing_mm",
    ),
    _recipe("recipe-million-rounds", SMALL + "rounds: 1000000", MINE + "rounds is wrong.*20"),
    _recipe("recipe-negative-seed", SMALL + "seed: -1", MINE + "seed is wrong"),
    _recipe("recipe-keep-nan", SMALL + "select: {keep: .nan}", MINE + r"select\.keep is wrong"),
    _recipe("recipe-no-folds", SMALL + "learn: {folds: 0}", MINE + r"learn\.folds is wrong"),
    _recipe(
        "recipe-absurd-method-option",
        "name: mine\npropose: [{method: transfer, options: {spacing_mm: 1.0e+9}}]",
        "spacing_mm must lie between 0.5 and 20",
    ),
    _recipe("recipe-endless-number", SMALL + "seed: " + "9" * 5000, MINE),
    _recipe("recipe-name-leads-out", "name: ../../evil\npropose: []", MINE + "name is wrong"),
    _recipe("recipe-runs-something", "name: !!python/object/apply:os.system [ls]\npropose: []", MINE + "is not YAML"),
    _recipe("recipe-of-ten-thousand-millions", _laughs(), MINE),
    _recipe("recipe-holds-itself", "name: mine\npropose: &a [*a]", MINE),
    _recipe("recipe-nested-without-end", SMALL + "score: " + "[" * 20_000, MINE + "is not YAML"),
    _recipe("recipe-not-yaml", "name: [mine\n", MINE + "is not YAML in line"),
    _recipe("recipe-empty", "", MINE + "is not a recipe: it has no keys.*start from a shipped one"),
    _recipe("recipe-is-a-list", "- a\n- b\n", MINE + "is not a recipe: it has no keys"),
    _recipe("recipe-is-binary", b"\x89PNG\r\n\x1a\n\xff", MINE + "cannot be read .not text in UTF-8"),
    _recipe("recipe-with-null-bytes", SMALL.encode() + b"\0\0", MINE + "is not YAML"),
    _recipe("recipe-names-twice", SMALL + "rounds: 2\nrounds: 3\n", MINE + "rounds"),
    Entry(
        "recipe-is-a-folder",
        after(
            lambda place: (place.root / "mine.yaml").mkdir(),
            lambda place: ["run", str(place.data), "--recipe", f"{place.root}/mine.yaml"],
        ),
        MINE + "cannot be read",
    ),
    _option("recipe-not-there", MINE + "cannot be read", "--recipe", "/nowhere/mine.yaml"),
    _option("recipe-misspelt", "is not a recipe.*did you mean default", "--recipe", "defualt"),
    _option("change-without-value", "rounds: is not key=value.*write for example", "--set", "rounds"),
    _option("change-not-yaml", "is not YAML", "--set", "rounds=["),
    _option("change-of-nothing", "does not name a key", "--set", "name.deeper=1"),
)

PLANS = (
    _option("preset-unknown", "is not a training preset.*did you mean default", "--preset", "defualt", verb="train"),
    _option("network-unknown", "u-net: is not a network", "--network", "u-net", verb="train"),
    _option("training-option-unknown", "no training option 'epoch'.*epochs", "--set", "learn.options.epoch=1"),
    _option("training-option-absurd", "training.epochs: .*correct the option", "--set", "learn.options.epochs=-5"),
    _option("training-option-is-a-word", "training.epochs: .*correct the option", "--set", "learn.options.epochs=many"),
    _option("training-option-endless", "correct the option", "--set", "learn.options.learning_rate=.inf"),
    _option("training-method-unknown", "method", "--method", "mean-techer", verb="train"),
    _option(
        "weights-to-begin-with-gone",
        "is nothing to begin with.*give a model folder",
        "--init",
        "/nowhere",
        verb="train",
    ),
)

OPTIONS = (
    Entry("verb-misspelt", lambda place: ["propse", str(place.data)], "there is no verb propse.*did you mean propose"),
    _option("option-unknown", "No such option", "--fast"),
    _option("workers-negative", "--workers", "--workers", "-1"),
    _option("round-of-none", "has 3 rounds, not 9", "--round", "9"),
    _option(
        "phase-misspelt-asked", "GDE4: is not a phase.*did you mean GED4", "--phase", "GDE4", "--method", "transfer"
    ),
    _option("device-unknown", "device must be one of auto, cuda, mps, cpu", "--device", "teapot"),
    _option(
        "support-unknown",
        "P9__GED4: is no labelled case.*did you mean",
        "--method",
        "transfer",
        "--support",
        "P9__GED4",
    ),
    _option("method-option-without-method", "names options for no method.*add --method", "--option", "x=1"),
    _option("truth-gone", "is not a folder.*--truth", "--truth", "/nowhere", verb="evaluate"),
    Entry(
        "truth-without-masks",
        lambda place: ["evaluate", str(place.data), "--truth", str(place.root)],
        "has no true mask of any case.*name the files",
        proposed=True,
    ),
)


def _correct(name: str, content: bytes, says: str, case: str = "P2__T1") -> Entry:
    def arrange(place: Place) -> list[str]:
        mask = place.file("mine.nii.gz", content)
        return ["review", str(place.data), "correct", case, "--mask", str(mask)]

    return Entry(name, arrange, says, proposed=True)


def _review(name: str, says: str, *words: str, proposed: bool = True) -> Entry:
    return Entry(name, lambda place: ["review", str(place.data), *words], says, proposed=proposed)


def _truths(place: Place) -> list[str]:
    place.file("truth/P1__T1.nii.gz", packed(nifti(LIVER[:5])))
    place.file("truth/P2__T1.nii.gz", packed(nifti(LIVER)))
    return ["evaluate", str(place.data), "--truth", str(place.root / "truth")]


REVIEWS = (
    _correct("correction-of-another-size", packed(nifti(LIVER[:6])), r"mine\.nii\.gz: the mask is not on its image's"),
    _correct("correction-truncated", packed(nifti(LIVER))[:-20], r"mine\.nii\.gz: cannot be read"),
    _correct(
        "correction-of-halves", packed(nifti(LIVER * np.float32(0.5))), r"is not a mask.*export it as a label map"
    ),
    _correct("correction-of-an-expert", packed(nifti(LIVER)), "has an expert's mask, which stays", "P1__GED4"),
    _correct("correction-of-no-case", packed(nifti(LIVER)), "has no label.*did you mean P2__T1", "P3__T1"),
    _correct("correction-of-no-case-id", packed(nifti(LIVER)), "has no label", "../../etc/passwd"),
    _review("correction-without-file", "takes one case and its mask", "correct", "P2__T1"),
    _review("correction-not-there", "there is no such file", "correct", "P2__T1", "--mask", "/nowhere/m.nii.gz"),
    _review("verdict-on-no-case", "has no label.*did you mean P2__T1", "accept", "P2_T1"),
    _review("verdict-on-nothing", "name the case to reject", "reject"),
    _review("verdict-misspelt", "acept", "acept", "P2__T1"),
    _review("review-before-propose", "is not there yet.*run or propose first", proposed=False),
    Entry(
        "correction-of-a-case-that-is-gone",
        after(
            lambda place: (place.data / "P2" / "T1.nrrd").unlink(),
            lambda place: ["review", str(place.data), "correct", "P2__T1", "--mask", str(place.mask)],
        ),
        "P2__T1: is not in the cohort.*look whether",
        proposed=True,
    ),
    Entry(
        "truth-of-another-grid",
        _truths,
        r"(?s)Against the truth.*Warning: .*P1__T1.*truth/P1__T1.nii.gz: .*not on its image's grid",
        0,
        proposed=True,
    ),
)

ENTRIES = (*RECIPES, *PLANS, *OPTIONS, *REVIEWS)

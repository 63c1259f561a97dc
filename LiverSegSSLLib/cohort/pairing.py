"""Which of the images and masks of one study belong together: one image a phase, one mask an image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from LiverSegSSLLib.cohort.draft import ImageDraft
from LiverSegSSLLib.cohort.phase import PhaseName, canonical_b_value, nearest_phase
from LiverSegSSLLib.cohort.study import Phase, Problem
from LiverSegSSLLib.volume import image_stem

Named = tuple[Path, PhaseName]


def pair(
    images: Sequence[Named], masks: Sequence[tuple[Path, PhaseName | None]]
) -> tuple[tuple[ImageDraft, ...], list[Problem]]:
    """Choose one image for each phase and give it its mask.

    :param masks: with the phase that their name says; ``None`` if it says none, which is clear enough where the
        study has a single image.
    """
    chosen, problems = one_per_phase(images)
    matched: dict[Phase, list[Path]] = {}
    for path, named in masks:
        phase = _phase_of_mask(named, chosen)
        if phase is None:
            what = "is a mask, but not of any image of this study that is used"
            problems.append(Problem(str(path), what, "name it like its image, for example mask_GED4.nii.gz"))
        else:
            matched.setdefault(phase, []).append(path)
    for phase, paths in matched.items():
        if len(paths) > 1:
            what = f"several masks of {phase.value} ({_names(paths)}); none of them is used"
            problems.append(Problem(str(paths[0].parent), what, "keep one"))
    single = {phase: paths[0] for phase, paths in matched.items() if len(paths) == 1}
    drafts = tuple(ImageDraft(phase, path, name.b_value, single.get(phase)) for phase, (path, name) in chosen.items())
    return drafts, problems


def one_per_phase(images: Sequence[Named]) -> tuple[dict[Phase, Named], list[Problem]]:
    """One image for each phase: of several diffusion images the one nearest to b = 800 s/mm².

    Where nothing decides between two files, neither is taken.
    """
    chosen: dict[Phase, Named] = {}
    problems: list[Problem] = []
    for phase in Phase:
        candidates = [(path, name) for path, name in images if name.phase is phase]
        if not candidates:
            continue
        best = min(_b_distance(name) for _, name in candidates)
        nearest = [(path, name) for path, name in candidates if _b_distance(name) == best]
        where, names = str(candidates[0][0].parent), _names([path for path, _ in candidates])
        if len(nearest) > 1:
            what = f"several files are {phase.value} ({names}); none of them is used"
            problems.append(Problem(where, what, "keep one", fatal=True))
            continue
        chosen[phase] = nearest[0]
        if len(candidates) > 1:
            what = f"several diffusion images ({names}); {nearest[0][0].name} is used"
            problems.append(Problem(where, what, f"it is nearest to b = {canonical_b_value()} s/mm²"))
    return chosen, problems


def unknown_phase(path: Path) -> Problem:
    """The problem of a file whose name says no phase that we know."""
    stem = image_stem(path)
    return Problem(
        str(path),
        f"the name {stem!r} says no known phase (nearest: {nearest_phase(stem)})",
        "rename the file, or add the spelling to Resources/phases.yaml",
        fatal=True,
    )


def _phase_of_mask(named: PhaseName | None, chosen: dict[Phase, Named]) -> Phase | None:
    if named is None:
        return next(iter(chosen)) if len(chosen) == 1 else None
    if named.phase not in chosen or named.b_value not in (None, chosen[named.phase][1].b_value):
        return None
    return named.phase


def _b_distance(name: PhaseName) -> float:
    if name.phase is not Phase.DWI or name.b_value is None:
        return 1e9  # an unknown b-value is the last choice
    # Of 700 and 900 the larger: more diffusion weighting.
    return abs(name.b_value - canonical_b_value()) - (0.5 if name.b_value > canonical_b_value() else 0.0)


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(path.name for path in paths)

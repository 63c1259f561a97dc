"""Phantom patients as stacks of labelled slices, and the clips that the small network learns from.

A clip is what few-shot propagation asks for (METHODS 7.1): slices of one labelled patient with their masks, then a run
of slices of another patient. Both are of one *look* (phase, image space, contrast curve), which is drawn anew, and the
mask is not always the liver's: a network that only knows livers would not need the prompts. Grey values are of
T1-weighted phases only. In Sobel space, the common ground of all contrasts, every patient of a look has a phase of his
own, T2 among them. DWI is never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from LiverSegSSLLib.align.body_mask import body_array
from LiverSegSSLLib.cohort.phantom import acquire, draw_anatomy, organ_values, protocol
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.propose.few_shot.frames import IMAGENET_MEAN, IMAGENET_STD, LPS, TOP, frames_of
from LiverSegSSLLib.propose.few_shot.spaces import inverted, support_in
from LiverSegSSLLib.volume import orient

PHASES = (Phase.GED4, Phase.T1, Phase.GED2, Phase.T2)
CHANCES = (0.6, 0.2, 0.2, 0.0)
SOBEL_CHANCES = (0.4, 0.1, 0.1, 0.4)
"""How often a look is of each phase, and a patient in Sobel space."""

SPACES = ("plain", "sobel", "inverted")
"""Image spaces of looks."""

SEEN = ("A", "B1", "B2")
SCALE = 3.0
"""Of the phantom's pixels: 2.7 to 4.3 mm, as fine as the network sees."""

LIVER = organ_values()["liver"]
OTHERS = tuple(
    organ_values()[name]
    for name in ("spleen", "right_kidney", "left_kidney", "stomach", "spine", "lungs", "heart", "bowel", "aorta")
)
"""Organs that clips are also about: a network that only knows livers would find them whatever it is shown."""

LIVER_SHARE, OTHER_SHARE = 0.4, 0.35
"""Of the clips that are about the liver, or one other organ; the rest are about two organs together."""

FEWEST_PIXELS = 12
"""A prompt has so many at least."""


@dataclass(frozen=True, eq=False)
class Stack:
    """One phase of one patient, canonical frame: by image space uint8 (slices, S, S), and organ values likewise."""

    spaces: dict[str, NDArray[np.uint8]]
    organs: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Pool:
    """Patients in many looks, a few slices of each: uint8 (looks, patients, slices, S, S), and the features of all
    slices under a frozen encoder, by level (looks, patients, slices, channels, h, w)."""

    grey: torch.Tensor
    organs: torch.Tensor
    levels: tuple[torch.Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class Clips:
    """Clips side by side: where their frames are in the pool, (clips, frames), and their masks.

    :param look: (clips,); ``labelled`` and ``case``: patients, (clips,).
    :param prompts: slices of the labelled patient, (clips, prompts); ``run``: of the case, (clips, tracked).
    :param shown: float masks of the prompts (clips, prompts, S, S); ``wanted``: of the run, likewise.
    """

    look: torch.Tensor
    labelled: torch.Tensor
    case: torch.Tensor
    prompts: torch.Tensor
    run: torch.Tensor
    shown: torch.Tensor
    wanted: torch.Tensor


def stacks_of(seed: int, size: int) -> list[Stack]:
    """One patient in :data:`PHASES`."""
    anatomy = draw_anatomy(seed)
    scanner = protocol(SEEN[seed % len(SEEN)])
    result = []
    for phase in PHASES:
        taken = acquire(anatomy, phase, scanner, SCALE, seed=seed)
        frames = frames_of(taken.image)
        spaces = {
            "plain": frames.grey,
            "sobel": support_in("sobel", frames).grey,
            "inverted": inverted(frames.grey, body_array(frames.grey)),
        }
        organs = _resized(orient(taken.organs, LPS).array, size, "nearest")
        result.append(Stack({name: _resized(grey, size, "bilinear") for name, grey in spaces.items()}, organs))
    return result


def draw_pool(
    patients: Sequence[Sequence[Stack]], looks: int, slices: int, space_chances: Sequence[float], seed: int
) -> Pool:
    """Every patient in every look; slices spread over the liver and a little beyond.

    :param space_chances: how often a look is of each of :data:`SPACES`.
    """
    rng = np.random.default_rng(seed)
    grey, organs = [], []
    for _ in range(looks):
        space, phase = str(rng.choice(SPACES, p=space_chances)), int(rng.choice(len(PHASES), p=CHANCES))
        curve = _contrast_curve(rng) if rng.uniform() < 0.6 else None
        flip = bool(rng.uniform() < 0.15)
        for patient in patients:
            own = int(rng.choice(len(PHASES), p=SOBEL_CHANCES)) if space == "sobel" else phase
            stack = patient[own]
            there = np.flatnonzero((stack.organs == LIVER).any((1, 2)))
            first, last = max(int(there[0]) - 4, 0), min(int(there[-1]) + 4, len(stack.organs) - 1)
            parts = np.array_split(np.arange(first, last + 1), slices)
            chosen = [int(rng.choice(part)) for part in parts]
            seen = _seen(stack.spaces[space][chosen], stack.organs[chosen], curve, flip, rng)
            grey.append(seen[0])
            organs.append(seen[1])
    shape = (looks, len(patients))
    return Pool(torch.stack(grey).unflatten(0, shape), torch.stack(organs).unflatten(0, shape))


def draw_clips(pool: Pool, count: int, prompts: int, tracked: int, rng: np.random.Generator) -> Clips:
    """Clips from a pool."""
    looks, patients, slices = pool.grey.shape[:3]
    rows: list[tuple[int, int, int, list[int], list[int], torch.Tensor, torch.Tensor]] = []
    while len(rows) < count:
        look = int(rng.integers(looks))
        one, two = (int(patient) for patient in rng.choice(patients, 2, replace=False))
        if rng.uniform() < 0.15:
            two = one  # from a few corrected slices to the rest of a volume
        values = _object(rng)
        labelled, wanted = (torch.isin(pool.organs[look, patient], values) for patient in (one, two))
        shown = np.flatnonzero(labelled.sum((1, 2)).numpy() >= FEWEST_PIXELS)
        if len(shown) < 2 or not wanted.any():
            continue
        chosen = sorted(rng.choice(shown, prompts, replace=len(shown) < prompts).tolist())
        start = int(rng.integers(slices - tracked + 1))
        run = list(range(start, start + tracked))
        if rng.uniform() < 0.5:
            run.reverse()
        rows.append((look, one, two, chosen, run, labelled[chosen].float(), wanted[run].float()))
    look_, one_, two_, chosen_, run_, shown_, wanted_ = zip(*rows, strict=True)
    numbers = (torch.tensor(column) for column in (look_, one_, two_, chosen_, run_))
    return Clips(*numbers, torch.stack(shown_), torch.stack(wanted_))


def _object(rng: np.random.Generator) -> torch.Tensor:
    """The organ values that a clip is about."""
    drawn = rng.uniform()
    if drawn < LIVER_SHARE:
        return torch.tensor([LIVER])
    if drawn < LIVER_SHARE + OTHER_SHARE:
        return torch.tensor([int(rng.choice(OTHERS))])
    return torch.from_numpy(rng.choice([LIVER, *OTHERS], 2, replace=False))


def normalised(grey: torch.Tensor) -> torch.Tensor:
    """uint8 (…, S, S) → (…, 3, S, S) as the network expects it."""
    channels = zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.stack([(grey.float() / TOP - mean) / std for mean, std in channels], dim=-3)


def _resized(array: NDArray[np.generic], size: int, mode: str) -> NDArray[np.uint8]:
    tensor = torch.from_numpy(np.ascontiguousarray(array).astype(np.float32))[:, None]
    options = {} if mode == "nearest" else {"align_corners": False, "antialias": True}
    result: NDArray[np.uint8] = F.interpolate(tensor, (size, size), mode=mode, **options)[:, 0].round().byte().numpy()
    return result


def _contrast_curve(rng: np.random.Generator) -> NDArray[np.float32]:
    """Another contrast, for all patients of a look: 256 grey values, rising."""
    steps = rng.gamma(1.2, 1.0, 8)
    knots = np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum()
    return np.interp(np.arange(256) / 255.0, np.linspace(0, 1, 9), knots).astype(np.float32) * np.float32(TOP)


def _seen(
    grey: NDArray[np.uint8], organs: NDArray[np.uint8], curve: NDArray[np.float32] | None, flip: bool,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """A patient in a look: his own brightness, gamma, noise, place, size and turn. uint8 (slices, S, S), twice."""
    image = grey.astype(np.float32) if curve is None else curve[grey]
    image = TOP * (image / TOP) ** np.float32(np.exp(rng.normal(0, 0.12)))
    image = image * np.float32(np.exp(rng.normal(0, 0.06)))
    image = image + np.float32(rng.uniform(0, 5)) * rng.standard_normal(image.shape, np.float32) * (image > 0)
    angle, sizes = np.deg2rad(rng.normal(0, 5)), np.exp(rng.normal(0, 0.07, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * sizes
    if flip:
        turn[:, 0] *= -1
    affine = torch.from_numpy(np.concatenate([turn, rng.normal(0, 0.06, (2, 1))], axis=1)).float()
    grid = F.affine_grid(affine[None].expand(len(grey), -1, -1), [len(grey), 1, *grey.shape[1:]], False)
    seen = torch.from_numpy(np.clip(image, 0, TOP))[:, None].float()
    named = torch.from_numpy(organs.astype(np.float32))[:, None]
    seen = F.grid_sample(seen, grid, align_corners=False)
    named = F.grid_sample(named, grid, mode="nearest", align_corners=False)
    return seen[:, 0].round().byte(), named[:, 0].byte()

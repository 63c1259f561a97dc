"""Axial slices of a case with outlines: which to show, and what is on them.

Pictures are in radiological orientation: patient right on the left of the picture, anterior up; pixels are square.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.doubt import is_doubtful, slice_entropy
from LiverSegSSLLib.evaluate.report.model import TRUTH, CasePicture
from LiverSegSSLLib.volume import Volume, axes_of, orient, read_mask, read_volume, require_same_grid

WIDTH_PX = 300
"""Most pixels of a picture along x or y."""

WINDOW = (1.0, 99.7)
"""Percentiles of the non-zero voxels of the volume that become black and white."""

BRIGHTEST = 3.0
"""White is at most so many times as bright as the outlined organ: beside the fluid of a T2 the liver would be black."""

Polygon = NDArray[np.float32]
"""Points (n, 2) of an outline, x and y in pixels from the top left corner of the picture."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A case in the frame of the pictures: arrays ``[z, y, x]`` running to the head, to the back, to the left.

    ``grey`` is windowed, uint8. ``doubt`` is per slice, in mL of full doubt; ``doubtful`` are slices to be marked.
    ``flipped``: the files run from head to feet.
    """

    grey: NDArray[np.uint8]
    masks: Mapping[str, NDArray[np.bool_]]
    probability: NDArray[np.float32] | None
    spacing_zyx: tuple[float, float, float]
    levels_mm: NDArray[np.float64]
    doubt_ml: NDArray[np.float64] | None
    doubtful: tuple[int, ...]
    flipped: bool

    def number(self, index: int) -> int:
        """Number of a slice in its file, counted from 1."""
        return len(self.grey) - index if self.flipped else index + 1


@dataclass(frozen=True, eq=False)
class SlicePicture:
    """One slice to show. ``why``: why this one; ``label``: where it is, as in the file and as in Slicer (S, mm)."""

    index: int
    grey: NDArray[np.uint8]
    outlines: Mapping[str, tuple[Polygon, ...]]
    doubt: tuple[Polygon, ...]
    why: str
    label: str
    marked: bool


def load_scene(picture: CasePicture) -> Scene:
    """Read the files of a case and turn them to axial radiological orientation.

    :raises BadInputError: a file cannot be read or lies on another grid than the image.
    """
    image = read_volume(picture.image)
    masks = {name: read_mask(path, image.geometry) for name, path in picture.contours.items()}
    probability = None
    if picture.probability is not None:
        probability = read_volume(picture.probability)
        require_same_grid(probability.geometry, image.geometry, picture.probability)
    axes = axes_of(image.geometry)
    # The files' slices are the picture's slices only if the files are axial.
    axial, flipped = axes[2] in "SI", axes[2] == "I"
    depth = image.geometry.size[2]
    doubtful = [depth - 1 - index if flipped else index for index in picture.doubtful if 0 <= index < depth]
    turned = orient(image)
    matrix, (width, height, _) = turned.geometry.index_to_lps(), turned.geometry.size
    levels = matrix[2] @ [[width / 2], [height / 2], [0.0], [1.0]] + matrix[2, 2] * np.arange(len(turned.array))
    chances = None if probability is None else _chance(orient(probability))
    outlined = {name: orient(mask).array > 0 for name, mask in masks.items()}
    return Scene(
        grey=_window(turned.array, list(outlined.values())),
        masks=outlined,
        probability=chances,
        spacing_zyx=turned.geometry.spacing_zyx,
        levels_mm=levels,
        doubt_ml=None if chances is None else slice_entropy(chances) * turned.geometry.voxel_ml,
        doubtful=tuple(doubtful) if axial else (),
        flipped=flipped,
    )


def choose_slices(scene: Scene, count: int = 4) -> list[tuple[int, str]]:
    """Slices worth showing, from head to feet, each with the reason.

    The largest cross-section, the most doubtful slices, the largest disagreement with the truth where it is known,
    and, while there is room, slices spread over the organ.
    """
    depth = len(scene.grey)
    reasons: dict[int, list[str]] = {}
    judged = [name for name in scene.masks if name != TRUTH]
    main = scene.masks.get(TRUTH) if TRUTH in scene.masks else (scene.masks[judged[-1]] if judged else None)
    areas = np.zeros(depth) if main is None else main.sum(axis=(1, 2))
    if areas.any():
        reasons[int(np.argmax(areas))] = ["largest cross-section"]
    for index in scene.doubtful[: max(count - 2, 1)]:
        reasons.setdefault(index, [])
    if TRUTH in scene.masks and judged:
        error = (scene.masks[TRUTH] != scene.masks[judged[-1]]).sum(axis=(1, 2))
        if error.any():
            reasons.setdefault(int(np.argmax(error)), []).append("largest difference to the truth")
    inside = np.flatnonzero(areas) if areas.any() else np.arange(depth)
    for share in (0.5, 0.25, 0.75, 0.1, 0.9):
        index = int(inside[round(share * (len(inside) - 1))])
        if len(reasons) < count and all(abs(index - other) > len(inside) // 12 for other in reasons):
            reasons[index] = []
    for rank, index in enumerate(scene.doubtful):
        if index in reasons:
            reasons[index].append("most doubtful" if rank == 0 else "doubtful")
    return [(index, ", ".join(reasons[index]) or "overview") for index in sorted(reasons, reverse=True)]


def cut(scene: Scene, index: int, why: str = "", width_px: int = WIDTH_PX) -> SlicePicture:
    """One slice as a picture with square pixels."""
    from PIL import Image

    _, height_mm, width_mm = np.array(scene.grey.shape) * scene.spacing_zyx
    pixel_mm = max(min(scene.spacing_zyx[1:]), max(height_mm, width_mm) / width_px)
    size = max(round(width_mm / pixel_mm), 1), max(round(height_mm / pixel_mm), 1)
    grey = np.asarray(Image.fromarray(scene.grey[index]).resize(size, Image.Resampling.BICUBIC))
    scale = np.array([size[0] / scene.grey.shape[2], size[1] / scene.grey.shape[1]])
    doubt: tuple[Polygon, ...] = ()
    if scene.probability is not None:
        doubt = outlines(is_doubtful(scene.probability[index]), scale)
    return SlicePicture(
        index=index,
        grey=grey,
        outlines={name: outlines(mask[index], scale) for name, mask in scene.masks.items()},
        doubt=doubt,
        why=why,
        label=f"slice {scene.number(index)} of {len(scene.grey)} · S {scene.levels_mm[index]:.0f} mm",
        marked=index in scene.doubtful,
    )


def outlines(mask: NDArray[np.bool_], scale_xy: NDArray[Any]) -> tuple[Polygon, ...]:
    """Closed outlines of a mask ``[y, x]``, holes included; ``scale_xy``: picture pixels per voxel."""
    from skimage.measure import approximate_polygon, find_contours

    if not mask.any():
        return ()
    found = []
    for line in find_contours(np.pad(mask, 1).astype(np.float32), 0.5):
        # Voxel centres are at whole numbers in the padded array; a pixel's corner at (0, 0) in the picture.
        points = (line[:, ::-1] - 0.5) * scale_xy
        found.append(approximate_polygon(points, tolerance=0.3).astype(np.float32))
    return tuple(found)


def _window(array: NDArray[Any], organ: Sequence[NDArray[np.bool_]]) -> NDArray[np.uint8]:
    values = np.nan_to_num(array.astype(np.float32))
    present = values[values != 0]
    if not present.size:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(present, WINDOW)
    inside = np.concatenate([values[:0].ravel(), *(values[mask] for mask in organ)])
    if inside.size:
        high = min(high, low + BRIGHTEST * max(float(np.median(inside)) - low, (high - low) / (4 * BRIGHTEST)))
    scaled = (values - low) / max(float(high - low), 1e-12) * 255
    return np.clip(scaled, 0, 255).astype(np.uint8)


def _chance(probability: Volume) -> NDArray[np.float32]:
    """A probability as 0 … 1; the label store keeps it as whole numbers up to 255."""
    array = probability.array.astype(np.float32)
    return array / 255.0 if probability.array.dtype.kind in "iu" else array

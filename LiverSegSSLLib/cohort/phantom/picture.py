"""A picture of the phantom: ``python -m LiverSegSSLLib.cohort.phantom.picture docs/phantom.png``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from LiverSegSSLLib.cohort.phantom.acquire import Acquisition, acquire
from LiverSegSSLLib.cohort.phantom.anatomy import draw_anatomy
from LiverSegSSLLib.cohort.phantom.protocols import PHASES, protocol
from LiverSegSSLLib.cohort.phantom.shapes import Array
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.volume import orient

PATIENTS = ((9, "A"), (21, "B1"), (3, "B2"), (11, "C"))
"""Seeds and vendors of the rows."""


def draw_picture(path: Path, patients: tuple[tuple[int, str], ...] = PATIENTS, scale: float = 1.5) -> None:
    """One row a patient, one column a phase, all through the middle of the liver; the truth is outlined in the last
    column, which shows GED4 in a coronal section."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.0 * (len(PHASES) + 1), 1.52 * len(patients)), facecolor="black", dpi=72)
    axes = figure.subplots(len(patients), len(PHASES) + 1, squeeze=False)
    for row, (seed, vendor) in zip(axes, patients, strict=True):
        anatomy = draw_anatomy(seed)
        height = 0.55 * anatomy.liver_box[1][2] + 0.45 * anatomy.liver_box[0][2]
        for cell, phase in zip(row, PHASES, strict=False):
            taken = acquire(anatomy, phase, protocol(vendor), scale, seed)
            image = _axial(taken, height)
            cell.imshow(image, cmap="gray", vmin=0, vmax=_white(taken, phase), interpolation="bilinear")
            cell.set_title(f"{vendor}  {phase.value}", color="white", fontsize=7, pad=2)
            if phase is Phase.GED4:
                image, mask, aspect = _coronal(taken)
                white = _white(taken, phase)
                row[-1].imshow(image, cmap="gray", vmin=0, vmax=white, aspect=aspect, interpolation="bilinear")
                row[-1].contour(mask, [0.5], colors="tab:red", linewidths=0.8)
                row[-1].set_title(f"{vendor}  GED4, truth", color="white", fontsize=7, pad=2)
    for cell in axes.ravel():
        cell.axis("off")
    figure.subplots_adjust(0.002, 0.002, 0.998, 0.96, 0.02, 0.08)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    _save_small(np.asarray(canvas.buffer_rgba())[..., :3], path)


def _save_small(picture: Array, path: Path) -> None:
    """Save with a palette of greys and reds: a quarter of the bytes of full colour."""
    from PIL import Image

    greys, reds = np.linspace(0, 255, 48), np.linspace(40, 255, 8)
    palette = Image.new("P", (1, 1))
    colours = [(v, v, v) for v in greys] + [(v, 0.15 * v, 0.15 * v) for v in reds]
    palette.putpalette([round(value) for colour in colours for value in colour])
    small = Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def _white(taken: Acquisition, phase: Phase) -> float:
    return float(np.percentile(taken.image.array, 99.0 if phase is Phase.T2 else 99.7))


def _axial(taken: Acquisition, height: float) -> Array:
    image = orient(taken.image)
    middle = image.geometry.index_to_lps() @ [image.geometry.size[0] / 2, image.geometry.size[1] / 2, 0.0, 1.0]
    return np.asarray(image.array[round((height + taken.shift[2] - middle[2]) / image.geometry.spacing[2])])


def _coronal(taken: Acquisition) -> tuple[Array, Array, float]:
    image, mask = orient(taken.image), orient(taken.liver)
    j = int(np.argmax(mask.array.sum(axis=(0, 2))))
    aspect = image.geometry.spacing[2] / image.geometry.spacing[0]
    return image.array[::-1, j], mask.array[::-1, j], aspect


if __name__ == "__main__":
    draw_picture(Path(sys.argv[1]))

"""One picture for a README or a talk: studies as rows, phases as columns, the outlines on one level."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from LiverSegSSLLib.atomic import write_bytes
from LiverSegSSLLib.cohort.study import split_case_id
from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.evaluate.report.model import TRUTH, CasePicture
from LiverSegSSLLib.evaluate.report.palette import colours
from LiverSegSSLLib.evaluate.report.slices import Scene, SlicePicture, cut, load_scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANEL_INCHES = 2.5
DOTS_PER_INCH = 110


def write_montage(cases: Sequence[CasePicture], path: Path, columns: int = 4) -> None:
    """Write cases side by side as one PNG; the file appears whole or not at all.

    Those that cannot be read are left out (the report tells of them); if none is left there is no file.

    The cases of one study that follow each other are shown at the level of the first one's largest cross-section, so
    that its phases can be compared.

    :param columns: panels in a row.
    """
    pictures: list[tuple[CasePicture, SlicePicture]] = []
    study, level_mm = "", 0.0
    for case in cases:
        try:
            scene = load_scene(case)
        except BadInputError:
            continue
        if split_case_id(case.case_id)[0] != study:
            study = split_case_id(case.case_id)[0]
            level_mm = float(scene.levels_mm[_largest(scene)])
        pictures.append((case, cut(scene, int(np.argmin(np.abs(scene.levels_mm - level_mm))), width_px=400)))
    if pictures:
        write_bytes(path, _draw(pictures, columns))
    else:
        path.unlink(missing_ok=True)  # it would show the studies of another report


def _largest(scene: Scene) -> int:
    masks = list(scene.masks.values())
    if not masks or not masks[0].any():
        return len(scene.grey) // 2
    return int(np.argmax(masks[0].sum(axis=(1, 2))))


def _draw(pictures: Sequence[tuple[CasePicture, SlicePicture]], columns: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.lines import Line2D

    names = sorted({name: None for case, _ in pictures for name in case.contours}, key=lambda name: name != TRUTH)
    palette = colours(names)
    columns = min(columns, max(len(pictures), 1))
    rows = -(-len(pictures) // columns)
    shape = max((picture.grey.shape[0] / picture.grey.shape[1] for _, picture in pictures), default=0.8)
    height = rows * (PANEL_INCHES * shape + 0.25) + 0.35
    tight = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)
    figure = Figure(figsize=(columns * PANEL_INCHES, height), dpi=DOTS_PER_INCH, facecolor="black", layout=tight)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for one in axes:
        one.set_axis_off()
    for one, (case, picture) in zip(axes, pictures, strict=False):
        _panel(one, case, picture, palette)
    handles = [Line2D([], [], color=palette[name], linewidth=2, label=name) for name in names]
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=len(handles),
            frameon=False,
            labelcolor="white",
            fontsize=9,
        )
    data = io.BytesIO()
    figure.savefig(data, format="png", facecolor="black")
    return data.getvalue()


def _panel(axes: Axes, case: CasePicture, picture: SlicePicture, palette: Mapping[str, str]) -> None:
    height, width = picture.grey.shape
    axes.imshow(picture.grey, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0), interpolation="bilinear")
    for name, polygons in picture.outlines.items():
        for polygon in polygons:
            axes.plot(*polygon.T, color=palette[name], linewidth=1.6 if name == TRUTH else 1.2)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    study, phase = split_case_id(case.case_id)
    axes.set_title(case.caption or f"{study} {phase.value}", color="white", fontsize=9, pad=3)

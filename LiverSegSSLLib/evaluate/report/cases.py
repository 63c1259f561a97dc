"""One case of a report as markup: slices with outlines, and a strip of the doubt per slice."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from LiverSegSSLLib.errors import BadInputError
from LiverSegSSLLib.evaluate.report.model import CasePicture
from LiverSegSSLLib.evaluate.report.slices import Polygon, Scene, SlicePicture, choose_slices, cut, load_scene

SLICES = 4
QUALITY = 72


@dataclass(frozen=True)
class Panel:
    """One slice as SVG, with what stands below it."""

    svg: str
    label: str
    why: str
    marked: bool


@dataclass(frozen=True)
class CaseView:
    """A case ready for the template. ``problem``: why there is no picture."""

    case_id: str
    caption: str
    reason: str
    panels: tuple[Panel, ...] = ()
    strip: str = ""
    problem: str = ""


def draw_case(picture: CasePicture, names: tuple[str, ...], count: int = SLICES) -> CaseView:
    """Read and draw one case; files that cannot be used leave a sentence instead of a picture.

    :param names: all outlines' names of the report, in order; the place gives the class (and so the colour).
    """
    try:
        scene = load_scene(picture)
    except BadInputError as error:
        problem = "one of its files cannot be used" if picture.nameless else str(error)
        return CaseView(picture.case_id, picture.caption, picture.reason, problem=problem)
    chosen = choose_slices(scene, count)
    panels = []
    for index, why in chosen:
        slice_picture = cut(scene, index, why)
        svg = slice_svg(slice_picture, names, f"{picture.case_id}, {slice_picture.label}")
        panels.append(Panel(svg, slice_picture.label, why, slice_picture.marked))
    strip = doubt_strip(scene, [index for index, _ in chosen])
    return CaseView(picture.case_id, picture.caption, picture.reason, tuple(panels), strip)


def slice_svg(picture: SlicePicture, names: tuple[str, ...], title: str) -> str:
    """A slice with its outlines. Classes ``o o0``, ``o o1`` … are the outlines, ``doubt`` the area in doubt."""
    height, width = picture.grey.shape
    parts = [
        f'<svg class="slice" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title, quote=True)}">',
        f'<image width="{width}" height="{height}" href="{_data_uri(picture.grey)}"/>',
    ]
    if picture.doubt:
        parts.append(f'<path class="doubt" d="{_path(picture.doubt)}"/>')
    for place, name in enumerate(names):
        if picture.outlines.get(name):
            parts.append(f'<path class="o o{place}" d="{_path(picture.outlines[name])}"/>')
    # What tells a radiologist that the picture is the usual way round.
    parts.append(
        f'<text class="side" x="{width * 0.02:.1f}" y="{height / 2:.1f}" font-size="{height / 15:.1f}">R</text>'
    )
    return "".join([*parts, "</svg>"])


def doubt_strip(scene: Scene, shown: list[int]) -> str:
    """Doubt of every slice as bars from head (left) to feet; marked slices in colour, shown ones with a tick."""
    if scene.doubt_ml is None or not scene.doubt_ml.any():
        return ""
    depth, height = len(scene.doubt_ml), 36
    step = 600 / depth
    most = float(scene.doubt_ml.max())
    bars = []
    for place, index in enumerate(reversed(range(depth))):
        length = height * float(scene.doubt_ml[index]) / most
        kind = "bar marked" if index in scene.doubtful else "bar"
        bars.append(
            f'<rect class="{kind}" x="{place * step:.1f}" y="{height - length:.1f}" width="{max(step - 0.6, 0.4):.1f}"'
            f' height="{length:.1f}"/>'
        )
        if index in shown:
            bars.append(f'<path class="tick" d="M{(place + 0.5) * step:.1f} {height + 2}l3.5 6h-7z"/>')
    label = f"Doubt per slice from head to feet, at most {most:.1f} mL in one slice"
    return (
        f'<svg class="strip" viewBox="0 0 600 {height + 9}" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(label)}">{"".join(bars)}</svg>'
    )


def _path(polygons: tuple[Polygon, ...]) -> str:
    pieces = []
    for polygon in polygons:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in polygon)
        pieces.append(f"M{points}z")
    return "".join(pieces)


def _data_uri(grey: NDArray[np.uint8]) -> str:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(grey).save(data, "WEBP", quality=QUALITY, method=4)
    return "data:image/webp;base64," + base64.b64encode(data.getvalue()).decode("ascii")

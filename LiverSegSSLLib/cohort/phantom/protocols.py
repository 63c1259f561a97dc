"""Vendor protocols (``Resources/Phantom/protocols.yaml``): how each phase is measured, and on which grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from LiverSegSSLLib.cohort.phantom.anatomy import Anatomy
from LiverSegSSLLib.cohort.phantom.sequences import Sequence
from LiverSegSSLLib.cohort.phantom.shapes import Vector
from LiverSegSSLLib.cohort.study import Phase
from LiverSegSSLLib.errors import CohortError
from LiverSegSSLLib.resources import table
from LiverSegSSLLib.volume import Geometry

PHASES = (Phase.GED1, Phase.GED2, Phase.GED3, Phase.GED4, Phase.T1, Phase.T2, Phase.DWI)
"""The phases of a CARE/LiQA study."""

BODY_MARGIN_MM = 9.0
"""Air left around the body in the field of view."""

COARSER_MM = 1.2
"""What one unit of ``scale`` adds to the in-plane spacing. A sum, not a factor: the finest images (0.34 mm) become
quick and the coarsest (1.95 mm) stay readable."""

LOWER_MM = 8.0
"""How far the slab's middle lies below the liver's: slabs reach down to take the kidneys in."""

LIVER_MARGIN_MM = 8.0
"""Least distance of the liver from the ends of the slab."""


@dataclass(frozen=True)
class Imaging:
    """How one phase is measured. Ranges are (low, high); ``snr`` is that of ``reference`` tissue."""

    sequence: Sequence
    in_plane_mm: tuple[float, float]
    slice_mm: tuple[float, float]
    slices: tuple[int, int]
    snr: float
    reference: str
    volumetric: bool
    distortion_mm: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True)
class Protocol:
    """One scanner. ``axes``: where its voxel axes run; ``singleton``: share of files that are 4-D with one frame."""

    vendor: str
    field_t: float
    axes: str
    oblique_deg: float
    singleton: float
    shading: float
    brightest: float
    unseen: bool
    phases: Mapping[Phase, Imaging]


def vendors() -> tuple[str, ...]:
    """Names of all protocols."""
    return tuple(table("Phantom", "protocols.yaml")["vendors"])


def protocol(vendor: str) -> Protocol:
    """The protocol of a vendor.

    :raises CohortError: there is none.
    """
    rows = table("Phantom", "protocols.yaml")["vendors"]
    if vendor not in rows:
        raise CohortError(f"the phantom has no vendor {vendor!r}", remedy=f"choose from {', '.join(rows)}")
    row = rows[vendor]
    dynamic = _imaging("gradient_echo", row["dynamic"])
    phases = dict.fromkeys(PHASES, dynamic)
    phases[Phase.T2], phases[Phase.DWI] = _imaging("spin_echo", row["t2"]), _imaging("diffusion", row["dwi"])
    return Protocol(
        vendor,
        float(row["field_t"]),
        row["axes"],
        float(row["oblique_deg"]),
        float(row["singleton"]),
        float(row["shading"]),
        float(row["brightest"]),
        bool(row.get("unseen", False)),
        phases,
    )


def _imaging(kind: Any, row: Mapping[str, Any]) -> Imaging:
    volumetric = kind == "gradient_echo"
    sequence = Sequence(
        kind,
        float(row["tr_ms"]),
        float(row["te_ms"]),
        float(row.get("flip_deg", 90.0)),
        float(row.get("b_value", 0.0)),
        float(row["fat_residual"]),
    )
    return Imaging(
        sequence,
        (float(row["in_plane_mm"][0]), float(row["in_plane_mm"][1])),
        (float(row["slice_mm"][0]), float(row["slice_mm"][1])),
        (int(row["slices"][0]), int(row["slices"][1])),
        float(row["snr"]),
        "liver" if volumetric else "spleen",
        volumetric,
        float(row.get("distortion_mm", 0.0)),
        float(row["blur"]),
    )


def plan_grid(
    anatomy: Anatomy, imaging: Imaging, scanner: Protocol, shift: Vector, scale: float, rng: np.random.Generator
) -> Geometry:
    """The grid of one phase: the whole trunk in-plane, and a slab that holds the whole liver with a margin.

    :param shift: breath-hold shift of the liver, LPS mm (the slab is planned on an earlier scout, so it does not follow
        the shift, but it is made thick enough).
    :param scale: 1 full quality; each unit more makes pixels :data:`COARSER_MM` larger. Slices of 3-D sequences grow by
        the root of ``scale``, those of 2-D ones stay.
    """
    in_plane = round(float(rng.uniform(*imaging.in_plane_mm)) + COARSER_MM * (scale - 1.0), 4)
    low, high = np.asarray(anatomy.liver_box[0]), np.asarray(anatomy.liver_box[1])
    lean = np.deg2rad(rng.uniform(-scanner.oblique_deg, scanner.oblique_deg, 2))
    centre = 0.5 * (low + high)
    centre[0] = 0.5 * (anatomy.body_box[0][0] + anatomy.body_box[1][0])
    centre[1] = 0.5 * (anatomy.body_box[0][1] + anatomy.body_box[1][1])
    centre += rng.uniform(-3.0, 3.0, 3)
    centre[2] -= LOWER_MM
    # A leaning slab must hold the corners of the liver's box.
    reach = np.maximum(np.abs(high - centre), np.abs(low - centre))
    needed = 2.0 * (reach[2] + abs(shift[2]) + LIVER_MARGIN_MM)
    needed += 2.0 * (np.tan(abs(lean[0])) * reach[1] + np.tan(abs(lean[1])) * reach[0])
    thickness = float(rng.uniform(*imaging.slice_mm)) * (np.sqrt(scale) if imaging.volumetric else 1.0)
    fewest = int(np.ceil(imaging.slices[0] / (np.sqrt(scale) if imaging.volumetric else 1.0)))
    # A liver too long for the most slices allowed gets thicker ones, as on a scanner with a breath-hold to keep.
    thickness = float(np.ceil(1000.0 * max(thickness, needed / imaging.slices[1])) / 1000.0)
    count = max(fewest, int(np.ceil(needed / thickness)))
    body = np.subtract(anatomy.body_box[1], anatomy.body_box[0])[:2] + 2 * BODY_MARGIN_MM
    columns, rows = (2 * int(np.ceil(0.5 * extent / in_plane)) for extent in body)
    return _grid((columns, rows, count), (in_plane, in_plane, thickness), centre, lean, scanner.axes)


def _grid(
    size: tuple[int, int, int], spacing: tuple[float, float, float], centre: np.ndarray, lean: np.ndarray, axes: str
) -> Geometry:
    cx, sx, cy, sy = np.cos(lean[0]), np.sin(lean[0]), np.cos(lean[1]), np.sin(lean[1])
    turned = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    signs = np.array([1.0 if letter in "LPS" else -1.0 for letter in axes])
    direction = turned * signs
    origin = centre - direction @ (0.5 * (np.asarray(size) - 1) * np.asarray(spacing))
    return Geometry(
        size,
        spacing,
        (float(origin[0]), float(origin[1]), float(origin[2])),
        tuple(float(value) for value in direction.ravel()),
    )

"""A part: one thing that is painted into the image, and the frame of a patient's trunk that parts are placed in."""

from __future__ import annotations

from dataclasses import dataclass

from LiverSegSSLLib.cohort.phantom.shapes import Column, Common, Dome, Grown, Outside, Shape


@dataclass(frozen=True)
class Part:
    """A tissue in a shape. Later parts paint over earlier ones.

    :param organ: its name in organ maps; empty: none.
    :param layers: (depth in mm, tissue) painted inside, in order of depth.
    :param mobility: share of the breath-hold shift that it follows: 0 fixed (wall, spine), 1 with the diaphragm.
    :param in_liver: painted only inside the liver, and counted as liver (vessels, lesions).
    """

    tissue: str
    shape: Shape
    organ: str = ""
    layers: tuple[tuple[float, str], ...] = ()
    mobility: float = 1.0
    in_liver: bool = False


@dataclass(frozen=True)
class Trunk:
    """Measures of one patient's trunk, canonical mm: cavity half-width and half-depth, wall, fat, diaphragm."""

    half_width: float
    half_depth: float
    wall: float
    fat: float
    dome: Dome

    @property
    def cavity(self) -> Column:
        """The inside of the chest and abdominal wall."""
        return Column((0.0, 0.0), (self.half_width, self.half_depth), round_corners=True)

    def under_diaphragm(self, shape: Shape, gap_mm: float, blend_mm: float = 8.0) -> Shape:
        """``shape`` as far as diaphragm and wall leave room for it."""
        room = (shape, Grown(self.cavity, -gap_mm), Outside(self.dome, gap_mm))
        return Common(room, blend_mm)

"""One call to register two images; what goes wrong comes back in words, never as an exception.

Transforms map points of the fixed image to points of the moving image (LPS, mm), as ITK has it:
``resample(moving, fixed.geometry, transform=registration.transform)`` brings the moving image onto the fixed one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from LiverSegSSLLib.volume import Volume

if TYPE_CHECKING:
    import SimpleITK as sitk

Model = Literal["translation", "rigid", "affine", "deformable"]
"""What the transform may do: shift; shift and turn; any linear map (12 dof); bend."""

Metric = Literal["mattes", "sobel", "mind"]
"""How likeness is judged: Mattes' mutual information; mean squares in Sobel space; mean squares of MIND-SSC."""

Start = Literal["scanner", "body"]
"""Where the search begins: the scanner's frame (same examination), or the two bodies laid over each other."""


@dataclass(frozen=True)
class Registration:
    """What a registration found.

    ``transform`` maps fixed to moving points (LPS, mm); ``None`` when it failed (``ok`` false, ``reason`` says why).
    ``similarity``: the metric at the end, the higher the better (mutual information in nats, else minus the mean
    square). ``initial_similarity``: the same before anything moved.
    """

    transform: sitk.Transform | None
    similarity: float
    ok: bool
    reason: str = ""
    model: str = ""
    metric: str = ""
    initial_similarity: float = float("nan")


def failed(reason: str, model: str = "", metric: str = "") -> Registration:
    """A registration without a result."""
    return Registration(None, float("-inf"), False, reason, model, metric)


def register(
    fixed: Volume,
    moving: Volume,
    model: Model = "rigid",
    metric: Metric = "mattes",
    *,
    init: sitk.Transform | Start = "scanner",
    fixed_mask: Volume | None = None,
    moving_mask: Volume | None = None,
    spacing_mm: float = 3.0,
    seed: int = 0,
    threads: int = 1,
) -> Registration:
    """Find the transform that lays ``moving`` over ``fixed``.

    Deterministic: linear models compare every voxel of working copies (nothing is drawn at random, ``seed`` only
    enters ITK's sampler), on one thread, because ITK adds partial sums in the order in which threads finish.

    :param init: where to begin; with ``"scanner"`` and ``"body"`` shifts around it are tried first.
    :param fixed_mask: only what lies in it is compared (on its own grid, non-zero counts).
    :param spacing_mm: voxel size of the working copies.
    :param threads: used by resampling and by the deformable model; the result does not depend on it.
    """
    from LiverSegSSLLib.align.deformable import register_deformable
    from LiverSegSSLLib.align.linear import register_linear

    for volume, name in ((fixed, "fixed"), (moving, "moving")):
        if volume.array.size == 0 or volume.array.min() == volume.array.max():
            return failed(f"the {name} image is constant", model, metric)
    try:
        if model == "deformable":
            return register_deformable(fixed, moving, metric, init=init, spacing_mm=spacing_mm, threads=threads)
        with _one_itk_thread():
            return register_linear(fixed, moving, model, metric, init, fixed_mask, moving_mask, spacing_mm, seed)
    except RuntimeError as error:  # ITK's and torch's way to say that the numbers led nowhere
        reason = str(error).strip().splitlines()[-1].split("): ")[-1].strip()
        return failed(f"the registration broke down ({reason})", model, metric)


@contextmanager
def _one_itk_thread() -> Iterator[None]:
    """ITK's metrics heed only the default of the whole process, not the registration method's own number."""
    import SimpleITK as sitk

    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)

"""The step rule, against the windows that METHODS 6.6 lists and against nnU-Net."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from LiverSegSSLLib.predict.windows import adaptive_step, window_counts, window_starts

WINDOW = (48, 160, 224)


@pytest.mark.parametrize(
    ("image", "usual", "code", "paper"),
    [
        ((100, 320, 380), (4, 3, 3), (3, 2, 3), (4, 2, 2)),
        ((100, 200, 380), (4, 2, 3), (3, 2, 3), (4, 2, 2)),
        ((67, 317, 400), (2, 3, 3), (2, 3, 3), (2, 3, 3)),  # 18 windows: the usual step stays
    ],
)
def test_golden_table(image: tuple, usual: tuple, code: tuple, paper: tuple) -> None:  # type: ignore[type-arg]
    assert window_counts(image, WINDOW, 0.5) == usual
    assert window_counts(image, WINDOW, adaptive_step(image, WINDOW)) == code
    assert window_counts(image, WINDOW, adaptive_step(image, WINDOW, order="paper")) == paper


sides = st.tuples(*[st.integers(8, 300)] * 3)


@given(sides, st.tuples(*[st.integers(8, 64)] * 3), st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_windows_are_those_of_nnunet(image: tuple, window: tuple, step: float) -> None:  # type: ignore[type-arg]
    from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window

    image = tuple(max(side, tile) for side, tile in zip(image, window, strict=True))
    theirs = compute_steps_for_sliding_window(image, window, step)
    assert [[int(s) for s in axis] for axis in theirs] == window_starts(image, window, (step,) * 3)


@given(sides, st.tuples(*[st.integers(8, 64)] * 3))
def test_every_voxel_is_seen_at_any_step(image: tuple, window: tuple) -> None:  # type: ignore[type-arg]
    image = tuple(max(side, tile) for side, tile in zip(image, window, strict=True))
    for side, tile, starts in zip(
        image, window, window_starts(image, window, adaptive_step(image, window)), strict=True
    ):
        seen = set()
        for start in starts:
            seen |= set(range(start, start + tile))
        assert seen == set(range(side))
        assert math.prod(window_counts(image, window, adaptive_step(image, window))) <= math.prod(
            window_counts(image, window, 0.5)
        )

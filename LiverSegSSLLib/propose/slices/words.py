"""What was done, in a sentence or two for the person who pressed the button."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from LiverSegSSLLib.propose.slices.correction import Carried


def describe(
    method: str,
    given: Sequence[int],
    changed: Sequence[int],
    outcome: Iterable[Carried],
    had_label: bool,
    fade_mm: float,
) -> str:
    """The note of a result. Slices are named by their index."""
    outcome = list(outcome)
    bridged = {index for one in outcome for index in one.bridged}
    dropped = {index for one in outcome for index in one.dropped}
    carried = [index for index in changed if not had_label or index not in bridged | dropped]
    parts = [_what(method, given, carried, had_label, fade_mm)]
    if had_label and bridged:
        parts.append(f"Where an object is new, {spans(bridged)} filled with the shapes in between.")
    if dropped:
        parts.append(f"What the erased slices cut off was removed from {spans(dropped)}.")
    return " ".join(parts)


def spans(indices: Collection[int]) -> str:
    """Slices in words: ``slice 4``, ``slices 4, 7 to 12``."""
    ordered = sorted(indices)
    runs: list[list[int]] = []
    for index in ordered:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    text = ", ".join(str(low) if low == high else f"{low} to {high}" for low, high in runs)
    return f"slice{'s' if len(ordered) != 1 else ''} {text}"


def _what(method: str, given: Sequence[int], changed: Sequence[int], had_label: bool, fade_mm: float) -> str:
    if method == "correction":
        if not changed:
            return f"The corrections of {spans(given)} reach no other slice."
        return (
            f"The corrections of {spans(given)} were carried to {spans(changed)}: interpolated between them, "
            f"fading out over {fade_mm:g} mm beyond."
        )
    if method == "interpolation":
        if not changed:
            return f"Nothing to interpolate: only {spans(given)} given, and nothing is invented beyond them."
        return f"The shapes of {spans(given)} were interpolated to {spans(changed)}; nothing is invented beyond them."
    beyond = f", giving way to the earlier label over {fade_mm:g} mm beyond" if had_label else ""
    return f"{method} carried {spans(given)} to {spans(changed) if changed else 'no other slice'}{beyond}."

"""From a few slices that a person has drawn or corrected to the whole volume. Runs without any weights."""

from LiverSegSSLLib.propose.slices.propagate import FADE_MM, Propagated, Tracker, propagate

__all__ = ["FADE_MM", "Propagated", "Tracker", "propagate"]

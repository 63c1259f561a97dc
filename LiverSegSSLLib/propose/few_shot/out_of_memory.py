"""What to do when a device has no memory left: the same with less at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

from LiverSegSSLLib.errors import LiverSegError

T = TypeVar("T")


def halving(work: Callable[[int], T], batch: int, device: torch.device) -> T:
    """The result of ``work(batch)``, with half the batch each time that memory runs out.

    :raises LiverSegError: not even a batch of one fits.
    """
    while True:
        try:
            return work(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            reason = str(error)
        # Outside the handler, so that the failed batch is not kept alive by its traceback.
        free_memory(device)
        if batch == 1:
            raise does_not_fit(device, reason)
        batch //= 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device or the machine has no memory left: CUDA has a class for it, MPS and the CPU only words."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    words = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, RuntimeError) and any(word in str(error).lower() for word in words)


def free_memory(device: torch.device) -> None:
    """Give back what torch keeps for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def does_not_fit(device: torch.device, reason: str) -> LiverSegError:
    """The error where one slice is too much."""
    first = reason.strip().splitlines()[0][:80] if reason.strip() else "out of memory"
    return LiverSegError(
        f"one slice does not fit into the memory of {device} ({first})",
        remedy="use a smaller network or image size, fewer labelled slices, or the CPU",
    )

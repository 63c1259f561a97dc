"""Reading checkpoints without running what they may contain."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from LiverSegSSLLib.errors import BadInputError

NETWORKS_KEY = "liversegssl_networks"
"""In checkpoints of trainings with several networks, those beside the first by name: their ``weights``, and what else
is needed to go on."""


def load_checkpoint(path: Path | str, device: Any = "cpu") -> dict[str, Any]:
    """The contents of a checkpoint of nnU-Net or of ours: tensors and plain values, nothing else.

    nnU-Net's training log holds numpy numbers; they are let through by name, everything that could run is not.

    :raises BadInputError: the file is missing or damaged, or holds something else; or this torch would run it all the
        same, as versions before 2.6 do with some files.
    """
    import numpy as np
    import torch

    if tuple(map(int, re.findall(r"\d+", torch.__version__)[:2])) < (2, 6):
        what = f"cannot be read safely with torch {torch.__version__} (CVE-2025-32434)"
        raise BadInputError(what, path, "install torch 2.6 or newer")
    rebuild = np.float64(0).__reduce__()[0]
    # NumPy 1 and 2 write the same function under two names.
    names = [(rebuild, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    numbers: list[Any] = [*names, np.dtype, *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?"))]
    try:
        with torch.serialization.safe_globals(numbers), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange files, which torch then refuses
            checkpoint = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise BadInputError("there is no such checkpoint", path) from None
    except Exception as error:  # torch raises pickle's, zip's and its own kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInputError(
            f"is not a checkpoint that can be trusted ({reason[:120]})",
            path,
            "use one that nnU-Net or this program wrote",
        ) from None
    if not isinstance(checkpoint, dict):
        raise BadInputError("is not a checkpoint: it holds no names", path)
    return checkpoint

"""How far two masks agree."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def dice(one: NDArray[Any], other: NDArray[Any]) -> float:
    """2·|A∩B| / (|A|+|B|) of two arrays of one shape; every non-zero element counts. Both empty: 1; one empty: 0."""
    one, other = one != 0, other != 0
    total = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / total if total else 1.0

"""Sizes and durations made coarse: of two that differ by little, most are one."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

_LIMITS: Final = np.array([-1, 0] + [digit * 10**power for power in range(18) for digit in (1, 2, 5)], np.int64)


def bucketed(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each number the largest of 0, 1, 2, 5, 10, 20, 50 … that is no larger; -1, for none, stays.

    Privacy:
        A size often tells which page an answer was, a bucket seldom: it holds all sizes from itself to twice or two
        and a half times as much.
    """
    return _LIMITS[np.searchsorted(_LIMITS, np.maximum(values, -1), side="right") - 1]

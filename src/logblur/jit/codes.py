"""Dense codes for pairs of words, the hash table behind every count of distinct things; and what codes stand for."""

from __future__ import annotations

import secrets
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from logblur.jit import Codes, Words, kernel
from logblur.jit.intrinsics import fold_multiply, prefetch

U = np.uint64
Array = npt.NDArray[Any]

SEEDS: Final[Words] = np.frombuffer(secrets.token_bytes(16), np.uint64) | np.uint64(1)
"""Of the hash tables of this process. No result depends on them."""

_AHEAD = 128  # rows whose slots are asked for together; hides the latency of tables larger than the caches


@kernel
def intern(a: Words, b: Words, seeds: Words) -> tuple[Codes, Words, Words]:
    """Return a dense code for each pair of words, in order of first appearance, and the distinct pairs.

    Linear probing in a table at most half full. The hash is seeded, so that nobody can choose words that collide;
    slots hold only codes, and both words are compared.
    """
    room, count = 4 * _AHEAD, np.int64(0)
    codes, places = np.empty(len(a), np.int32), np.empty(_AHEAD, np.uint64)
    xs, ys, slots = np.empty(room, np.uint64), np.empty(room, np.uint64), np.zeros(2 * room, np.int32)
    for begin in range(0, len(a), _AHEAD):
        end = min(begin + _AHEAD, len(a))
        if count + _AHEAD > room:
            room *= 2
            more_xs, more_ys, slots = np.empty(room, np.uint64), np.empty(room, np.uint64), np.zeros(2 * room, np.int32)
            for old in range(count):  # assigning slices takes Numba seconds to compile
                more_xs[old], more_ys[old] = xs[old], ys[old]
            xs, ys = more_xs, more_ys
            for old in range(count):
                at = fold_multiply(xs[old] ^ seeds[0], ys[old] ^ seeds[1]) & U(len(slots) - 1)
                while slots[np.int64(at)]:
                    at = (at + U(1)) & U(len(slots) - 1)
                slots[np.int64(at)] = old + 1
        mask = U(len(slots) - 1)
        for row in range(begin, end):
            places[row - begin] = fold_multiply(a[row] ^ seeds[0], b[row] ^ seeds[1]) & mask
            prefetch(slots, np.int64(places[row - begin]))
        for row in range(begin, end):
            likely = max(np.int64(slots[np.int64(places[row - begin])]) - 1, 0)
            prefetch(xs, likely)
            prefetch(ys, likely)
        for row in range(begin, end):
            x, y, at = a[row], b[row], places[row - begin]
            while True:
                code = np.int64(slots[np.int64(at)]) - 1
                if code < 0:
                    code = count
                    xs[code], ys[code], slots[np.int64(at)] = x, y, code + 1
                    count += 1
                    break
                if xs[code] == x and ys[code] == y:
                    break
                at = (at + U(1)) & mask
            codes[row] = code
    return codes, xs[:count], ys[:count]


@kernel
def gather(values: Array, at: Array) -> Array:
    """Return ``values[at]``; unlike NumPy's it lets go of the GIL and widens no index."""
    out = np.empty(len(at), values.dtype)
    for row in range(len(at)):
        out[row] = values[at[row]]
    return out

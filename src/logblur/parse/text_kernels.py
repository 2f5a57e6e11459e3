"""Codes of distinct byte strings: an open-addressing table that grows between calls, never within one."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import lean_kernel
from logblur.jit.intrinsics import U, hash_span, prefetch, same_bytes

AHEAD, FEW = 16, 1024
"""Rows whose text is asked for ahead; distinct texts that stay in the nearest caches by themselves."""


@lean_kernel
def intern(buffer, starts, ends, rows, codes, places, slots, hashes, limits, arena, seeds, count):
    """Dense codes of byte strings, in order of first appearance; returns how many distinct ones there are now.

    ``slots`` (a power of two, at most half full): 32 bits of hash, code + 1; where the text starts in the arena, how
    long it is. Text k is ``arena[limits[k]:limits[k + 1]]`` and ``hashes[k]`` its hash. There is room for all rows.
    Some rows at a time (as many as ``places`` holds) are hashed and what they need is prefetched before any is
    compared, so that memory is awaited for many at once.
    """
    mask, low = U(len(slots) - 1), U(0xFFFFFFFF)
    keys = (seeds[0], seeds[1], seeds[2], seeds[3], seeds[4], seeds[5], seeds[6])
    for first in range(0, rows, len(places)):
        some = min(len(places), rows - first)
        for k in range(some):
            prefetch(buffer, np.int64(starts[min(first + k + AHEAD, rows - 1)]))
            places[k] = hash_span(buffer, np.int64(starts[first + k]), np.int64(ends[first + k]), keys)
            prefetch(slots, np.int64(places[k] & mask) * 2)
        for k in range(some if count > FEW else 0):
            begin = np.int64(slots[places[k] & mask, 1] >> U(32))
            prefetch(arena, begin)
            prefetch(arena, begin + 32)
        for k in range(some):
            start, at = np.int64(starts[first + k]), places[k] & mask
            n = np.int64(ends[first + k]) - start
            while True:
                slot, text = slots[at, 0], slots[at, 1]
                if slot == 0:
                    begin = limits[count]
                    for i in range(n):
                        arena[begin + i] = buffer[start + i]
                    limits[count + 1], hashes[count] = begin + n, places[k]
                    count += 1
                    slot = places[k] >> U(32) << U(32) | U(count)
                    slots[at, 0], slots[at, 1] = slot, U(begin) << U(32) | U(n)
                    break
                if (
                    slot >> U(32) == places[k] >> U(32)
                    and text & low == U(n)
                    and same_bytes(buffer, start, arena, np.int64(text >> U(32)), n)
                ):
                    break
                at = (at + U(1)) & mask
            codes[first + k] = np.int64(slot & low) - 1
    return count


@lean_kernel
def rehash(slots, hashes, limits, count):
    """Fill empty ``slots`` from the hashes and places of ``count`` texts."""
    mask = U(len(slots) - 1)
    for code in range(count):
        at = hashes[code] & mask
        while slots[at, 0]:
            at = (at + U(1)) & mask
        slots[at, 0] = hashes[code] >> U(32) << U(32) | U(code + 1)
        slots[at, 1] = U(limits[code]) << U(32) | U(limits[code + 1] - limits[code])

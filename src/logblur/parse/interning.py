"""Distinct texts as codes, while lines are parsed."""

from __future__ import annotations

import os
from typing import Final

import numpy as np
import pyarrow as pa

from logblur.formats import Escape
from logblur.jit import Bytes, Codes, Ints, Places, Words, grown
from logblur.parse import text_kernels
from logblur.parse.text import texts_of
from logblur.schema import PAD

_TOGETHER: Final = 64
"""Rows of a column that are interned together: what is prefetched for them stays in the nearest cache."""


class Texts:
    """Distinct byte strings and their codes: an open-addressing table with a random seed per process.

    The arrays grow between blocks, never inside a kernel.
    """

    __slots__ = ("_whole", "arena", "count", "escape", "hashes", "limits", "places", "slots")

    seeds: Final[Words] = np.frombuffer(os.urandom(56), np.uint64) | np.uint64(1)

    def __init__(self, escape: Escape) -> None:
        self.escape = escape
        self.count = 0
        self.slots: Words = np.zeros((2, 2), np.uint64)
        self.hashes: Words = np.zeros(0, np.uint64)
        self.limits: Ints = np.zeros(1, np.int64)
        self.arena: Bytes = np.zeros(PAD, np.uint8)
        self.places: Words = np.empty(_TOGETHER, np.uint64)
        self._whole: pa.Array = pa.array([], pa.large_string())

    def codes(self, buffer: Bytes, starts: Places, ends: Places, rows: int, room: int, codes: Codes) -> None:
        """Write the code of each span into ``codes``; the spans have at most ``room`` bytes in all."""
        if self.count + rows > len(self.hashes):
            self.hashes = grown(self.hashes, self.count + rows)
            self.limits = grown(self.limits, len(self.hashes) + 1)
            self.slots = np.zeros((2 * len(self.hashes), 2), np.uint64)
            text_kernels.rehash(self.slots, self.hashes, self.limits, self.count)
        self.arena = grown(self.arena, int(self.limits[self.count]) + room + PAD)
        self.count = text_kernels.intern(
            buffer, starts, ends, rows, codes, self.places,
            self.slots, self.hashes, self.limits, self.arena, self.seeds, self.count,
        )  # fmt: skip

    @property
    def size(self) -> int:
        """Bytes of distinct text."""
        return int(self.limits[self.count])

    def array(self, first: int = 0) -> pa.Array:
        """Return the texts from code ``first`` on as large_string, see `texts_of`."""
        return texts_of(self.arena, self.limits[first:], self.count - first, self.escape)

    def whole(self) -> pa.Array:
        """Return all texts as large_string in buffers of their own; those of the last call are not looked at again."""
        known = len(self._whole)
        if known < self.count:
            self._whole = pa.concat_arrays([self._whole, self.array(known)])
        return self._whole

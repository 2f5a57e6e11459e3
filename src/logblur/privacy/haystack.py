"""Needles, indexed: any text is searched for all of them in one pass."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.jit import Bytes, Codes, Ints
from logblur.privacy import search_kernels as kernels
from logblur.protect.addresses import buffers_of

KIND: Final = np.array([2 if b == 10 else int(b >= 128 or chr(b).isalnum()) for b in range(256)], np.uint8)
"""By byte: between words, of a word, or a newline, which no needle goes past."""

FOLD: Final = np.array([b + 32 if 65 <= b <= 90 else b for b in range(256)], np.uint8)
"""By byte: the same, of small letters."""

_MOST_NEAR: Final = 1 << 24  # bits: more fall out of the processor's cache
_ROOM: Final = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Texts that stand in one buffer; an empty one is none.

    Attributes:
        arena: uint8.
        starts, ends: int64, by text.
    """

    arena: Bytes
    starts: Ints
    ends: Ints

    @classmethod
    def of(cls, texts: Iterable[str | bytes]) -> Self:
        """Return texts as spans."""
        data, limits, _ = buffers_of(pa.array(texts, pa.large_binary()))
        return cls(data.copy() if len(data) else np.zeros(1, np.uint8), limits[:-1].copy(), limits[1:].copy())

    @classmethod
    def joined(cls, parts: Sequence[Spans]) -> Self:
        """Return the texts of several, one behind the other."""
        shifts = np.cumsum([0, *(len(part.arena) for part in parts)])
        return cls(
            np.concatenate([part.arena for part in parts]),
            np.concatenate([part.starts + shift for part, shift in zip(parts, shifts, strict=False)]),
            np.concatenate([part.ends + shift for part, shift in zip(parts, shifts, strict=False)]),
        )

    def take(self, order: npt.NDArray[np.int64]) -> Self:
        """Return the texts in another order."""
        return type(self)(self.arena, self.starts[order], self.ends[order])

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, at: int) -> bytes:
        return self.arena[self.starts[at] : self.ends[at]].tobytes()

    def __repr__(self) -> str:
        return f"Spans({len(self)})"


class Haystack:
    """Needles, indexed.

    Args:
        needles: From word to word (`form_kernels.trim`). One shorter than `search_kernels.SHORTEST` is never found.
        flags: uint8, by needle: `search_kernels.CASED` and its neighbours; none by default.

    Attributes:
        first: int32, by needle: the earliest one that equals it but for case, -1 for one that is never found.

    Cost:
        Beside the needles themselves about 30 bytes each, and a second for ten million. A search reads some hundred MB
        a second, however many needles there are, without the interpreter's lock.
    """

    def __init__(self, needles: Spans, flags: Bytes | None = None) -> None:
        self._needles = needles
        self._flags = np.zeros(len(needles), np.uint8) if flags is None else flags
        self._seed = np.uint64(int.from_bytes(os.urandom(8), "little"))
        self._near = np.zeros(min(power_of_two(8 * len(needles)), _MOST_NEAR) // 64, np.uint64)
        self._beginnings = np.zeros(power_of_two(2 * len(needles.arena)) // 64, np.uint64)
        self._slots = np.zeros(power_of_two(2 * int(np.count_nonzero(needles.ends > needles.starts))), np.uint64)
        self.first: Codes = np.empty(len(needles), np.int32)
        kernels.index(
            needles.arena, needles.starts, needles.ends, self._flags, FOLD, KIND, self._seed,
            self._near, self._beginnings, self._slots, self.first,
        )  # fmt: skip

    def search(self, text: npt.NDArray[np.uint8]) -> tuple[Codes, Ints]:
        """Return which needles were found, and where each began; of equal ones one stands for all."""
        hits: list[tuple[Codes, Ints]] = []
        text = text.view()
        text.flags.writeable = False  # one type of array: kernels are compiled once
        at = np.int64(0)
        while at < len(text):
            found, places = np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int64)
            count, at = kernels.search(
                text, at, self._needles.arena, self._needles.starts, self._needles.ends, self._flags, FOLD, KIND,
                self._seed, self._near, self._beginnings, self._slots, found, places,
            )  # fmt: skip
            if count:
                hits.append((found[:count].copy(), places[:count].copy()))
        if not hits:
            return np.empty(0, np.int32), np.empty(0, np.int64)
        return np.concatenate([found for found, _ in hits]), np.concatenate([places for _, places in hits])


def joined(texts: pa.Array) -> Bytes:
    """Return texts (large_string, no nulls) as lines, one behind the other."""
    whole = pa.LargeListArray.from_arrays(pa.array([0, len(texts)], pa.int64()), texts)
    lines = pc.binary_join(whole, pa.scalar("\n", pa.large_string()))[0].as_buffer()
    return np.frombuffer(lines, np.uint8)


def power_of_two(least: int) -> int:
    """Return the power of two that is as large, and large enough for a table."""
    return 1 << max(10, int(least - 1).bit_length())

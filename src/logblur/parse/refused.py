"""Lines that a format refused: copies of them, for its alternatives."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.jit import Bytes, Ints
from logblur.parse import span_kernels
from logblur.schema import Block, Reason

_ENOUGH: Final = 1 << 18
"""Bytes of lines that are worth a call of every kernel."""

_IS_FINAL: Final = np.isin(np.arange(256), [Reason.TOO_LONG, Reason.FUTURE_TIME])
"""Why a line is refused whatever its format: no alternative is tried."""


class Refused:
    """Lines refused in some blocks, to be read together: a block has few of them, and each pass has a price.

    Attributes:
        lines: The lines themselves.
    """

    __slots__ = ("_begins", "_offsets", "_why", "lines")

    def __init__(self) -> None:
        self.lines = bytearray()
        self._begins: list[Ints] = []
        self._offsets: list[Ints] = []
        self._why: list[Bytes] = []

    def add(self, block: Block, begins: Ints, why: Bytes) -> None:
        """Copy the lines of a block that begin there."""
        lines, limits = gathered(block, begins)
        self._begins.append(limits[:-1] + len(self.lines))
        self._offsets.append(begins + block.offset)
        self._why.append(why)
        self.lines += lines

    @property
    def enough(self) -> bool:
        """Whether it is time to read them."""
        return len(self.lines) >= _ENOUGH

    def block(self) -> tuple[Block, Ints, Bytes, Ints]:
        """Return the lines as a block, where each begins in it, why it was refused, and where it begins in the log."""
        begins, offsets = np.concatenate(self._begins), np.concatenate(self._offsets)
        return Block.of(bytes(self.lines)), begins, np.concatenate(self._why), offsets

    def __repr__(self) -> str:
        return f"Refused({sum(map(len, self._begins))} lines)"


def is_final(why: Bytes) -> npt.NDArray[np.bool_]:
    """Tell of each reason whether a line is refused by it whatever its format."""
    return _IS_FINAL[why]


def gathered(block: Block, begins: Ints) -> tuple[bytes, Ints]:
    """Return copies of the lines that begin there, and where each begins in them and the last one ends."""
    data = block.data[: block.size].data
    ends = np.empty(len(begins), np.int64)
    span_kernels.ends_of(block.data, begins, block.size, ends)
    lines = b"".join([data[begin:end] for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)])
    limits = np.zeros(len(begins) + 1, np.int64)
    (ends - begins).cumsum(out=limits[1:])
    return lines, limits

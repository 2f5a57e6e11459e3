"""A log in blocks of whole lines, handed to whichever worker asks next.

Lines are cut here and nowhere else, so that no later stage needs to know of a boundary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.errors import InputError
from logblur.formats.w3c import updated
from logblur.schema import PAD, Block
from logblur.sources.open import TAIL, LogContent, Stream

BLOCK_SIZE: Final = 2 << 20
"""Bytes of lines in a block: stays in the second-level cache while the kernels pass over it column by column."""

SEGMENT_SIZE: Final = 256 << 20
"""Decompressed bytes of a segment, the unit that counts or does not count as a whole."""

MAX_LINE_BYTES: Final = 64 << 10
"""A longer line is a reject. Apache and nginx limit a request line to 8 KiB and each header to as much."""

_NEWLINE: Final = 10

Buffer = npt.NDArray[np.uint8]


class BlockReader:
    """Hands out the whole lines of one log, from an offset on, segment by segment.

    `read` may be called by several threads; each line is in exactly one block, blocks come in the order of the log, and
    each has a buffer of its own. A line belongs to the block in which it ends; an incomplete one is carried over.

    The end of data ends the last line of an archive and of a pipe. A plain file may still be written to: its last
    line without a newline waits, is not handed out and lies behind `offset`, where the next run begins.

    A line of more than ``max_line_bytes`` that fits into a block is passed on as it is, for the parser to reject. One
    that is longer than a block is a block of its own, cut to ``max_line_bytes + 1`` bytes and a newline, so that it is
    rejected all the same; the rest is skipped, and offsets go on counting the real bytes. Blocks of NULs, the hole that
    a log cut in place leaves, are passed over: the line behind them is a line.

    Args:
        content: The log; it stays open until the reader is no longer used, and its owner closes it.
        start: Decompressed offset of the first line; what lies before it was counted earlier.
        block_size: Bytes of lines in a block, at most; more than ``max_line_bytes + 1``.
        segment_size: Bytes of lines in a segment, at most, where it is no smaller than a block (a cut line counts
            what is left of it).
        max_line_bytes: The parser's limit.
        whole: Whether the end of a plain file ends its last line too: for those who count nothing.
        watch: Called with the offset and the bytes of each block, in the order of the log, while the buffer is still
            the reader's own; not for a line that was cut.

    Raises:
        InputError: The log is shorter than ``start``, or cannot be read.

    Privacy:
        Keeps the incomplete line and the last `TAIL` bytes between two calls, nothing else; no error holds bytes.

    Cost:
        Memory: a block for each caller and one carried-over line of at most a block, whatever the log holds, besides
        what `Stream` says. A newline search over the end of each block and one copy of the carried-over line; the
        rest is the read itself.
    """

    def __init__(
        self,
        content: LogContent,
        *,
        start: int = 0,
        block_size: int = BLOCK_SIZE,
        segment_size: int = SEGMENT_SIZE,
        max_line_bytes: int = MAX_LINE_BYTES,
        whole: bool = False,
        watch: Callable[[int, memoryview], None] | None = None,
    ) -> None:
        if block_size < max_line_bytes + 2:
            raise ValueError("a block holds the longest line that is not cut, and its newline")
        self._content = content
        self._waits = content.grows and not whole
        self._block_size = block_size
        self._segment_size = segment_size
        self._max_line_bytes = max_line_bytes
        self._watch = watch
        self._lock = threading.Lock()
        self._stream = content.stream(start)
        if self._stream.position < start:
            raise InputError(
                "is shorter than when it was last read; if it was emptied in place, run again",
                source=content.log.name,
                offset=self._stream.position,
            )
        self._carry: Buffer = np.empty(0, np.uint8)
        self._error: InputError | None = None
        self._segment_left = 0
        self._offset = start
        self._tail = b""
        self._directives: bytes | None = None
        self._waiting = self._at_end = self._stopped = False
        self.next_segment()

    def follow_directives(self, first: Block) -> Block:
        """Return a block, the last that was read, with the directives in force at its start; later ones have theirs.

        For formats that follow ``#Fields`` and ``#Date``. What stands before the block is read once more for them.
        """
        with self._lock:
            before = b""
            if first.offset and self._content.rereadable:
                before = _directives_before(self._content.stream(0), first.offset)
            self._directives = updated(first.data[: first.size].tobytes(), before)
        return replace(first, directives=before)

    @property
    def offset(self) -> int:
        """Decompressed offset behind everything handed out so far."""
        return self._offset

    @property
    def tail(self) -> bytes:
        """The `TAIL` bytes before `offset`, by which the ledger will know this log; fewer at its start."""
        if len(self._tail) < min(TAIL, self._offset):
            return self._content.tail(self._offset)
        return self._tail

    @property
    def at_end(self) -> bool:
        """Whether every line has been handed out. A segment that ends with the log may be followed by an empty one."""
        return self._at_end

    @property
    def waiting(self) -> bool:
        """Whether an incomplete last line was left for the next run."""
        return self._waiting

    @property
    def bytes_read(self) -> int:
        """Stored (compressed) position, for progress."""
        return self._stream.stored_position

    @property
    def size_total(self) -> int | None:
        """Stored size when the log was opened, for progress; None for a pipe."""
        return self._content.size

    def next_segment(self) -> None:
        """Let `read` go on behind the segment that ended. Call it when all blocks of that segment are dealt with."""
        with self._lock:
            self._segment_left = self._segment_size

    def stop(self) -> None:
        """Let every `read`, in whichever thread, fail: a signal or another failure ended the work."""
        self._stopped = True
        self._content.stop()

    def read(self) -> Block | None:
        """Return the next block, or None at the end of the segment or of the log.

        Raises:
            InputError: The log cannot be read on, or was stopped; every later call, from whichever thread, says so too.
        """
        with self._lock:
            if self._stopped and self._error is None:
                self._error = InputError("was left before its end", source=self._content.log.name)
            if self._error is None and not self._at_end and self._segment_left > 0:
                try:
                    return self._next()
                except InputError as error:
                    self._error = error
                    self._carry = np.empty(0, np.uint8)
            if self._error is not None:
                self._error.__context__ = None  # it and the traceback lead to frames that hold buffers
                raise self._error.with_traceback(None)
            return None

    def _next(self) -> Block | None:
        """Read up to the last newline that fits."""
        buffer = np.empty(self._block_size + 1 + PAD, np.uint8)
        filled = len(self._carry)
        buffer[:filled] = self._carry
        self._carry = buffer[:0]
        view = buffer.data
        while filled < self._block_size:
            try:
                n = self._stream.readinto(view[filled : self._block_size])
            except InputError as error:
                self._error = error
                break
            if n == 0:
                self._at_end = True
                break
            filled += n
            if filled == self._block_size and not buffer[0] and not buffer[:filled].any():
                self._offset += filled
                filled, self._tail = 0, b""
        size = _behind_last_newline(buffer, filled)
        if self._error is not None:  # the whole lines before the damage are good; the next call tells of it
            if size == 0:
                raise self._error
            return self._hand_out(buffer, size, size)
        if size == 0 and filled == self._block_size:
            return self._cut(buffer)
        if not self._at_end:
            self._carry = buffer[size:filled].copy()
        elif size < filled:
            return self._last(buffer, size, filled)
        return self._hand_out(buffer, size, size)

    def _last(self, buffer: Buffer, size: int, filled: int) -> Block | None:
        """Deal with a last line that has no newline."""
        if self._waits:
            self._waiting = True
            return self._hand_out(buffer, size, size)
        buffer[filled] = _NEWLINE
        return self._hand_out(buffer, filled + 1, filled)

    def _cut(self, buffer: Buffer) -> Block | None:
        """Keep the front of a line that is longer than a block; skip, but count, the rest of it."""
        keep = self._max_line_bytes + 1
        rest = buffer[keep : self._block_size]
        length = self._block_size
        while n := self._stream.readinto(rest.data):
            newlines = np.flatnonzero(rest[:n] == _NEWLINE)
            if len(newlines):
                end = int(newlines[0]) + 1
                self._carry = rest[end:n].copy()
                length += end
                break
            length += n
        else:
            self._at_end = True
            if self._waits:
                self._waiting = True
                return None
        buffer[keep] = _NEWLINE
        return self._hand_out(buffer, keep + 1, length)

    def _hand_out(self, buffer: Buffer, size: int, length: int) -> Block | None:
        """Pad the lines and move on by their real length."""
        if size == 0:
            return None
        buffer[size : size + PAD] = _NEWLINE
        if size == length:
            self._tail = (self._tail + buffer[max(size - TAIL, 0) : size].tobytes())[-TAIL:]
        else:  # not the log's own bytes
            self._tail = b""
        if self._watch and length <= size:
            self._watch(self._offset, buffer[:length].data)
        block = Block(buffer, size, self._offset, self._directives or b"")
        if self._directives is not None:
            self._directives = updated(buffer[:size].tobytes(), self._directives)
        self._offset += length
        self._segment_left -= size
        if self._segment_left < self._block_size:  # the next block might not fit
            self._segment_left = 0
        return block


def sample(content: LogContent, first: Block | None, n: int) -> bytes:
    """Return at most n bytes that show what a log is: its head, or of a pipe the first block that was read.

    Where the head is the hole of a log that was cut in place, what stands behind it is meant.
    """
    if not content.rereadable:
        return b"" if first is None else first.data[: min(first.size, n)].tobytes()
    head = content.head(n)
    return head if head.strip(b"\0") else _behind_hole(content.stream(0), n)


def _behind_hole(stream: Stream, n: int) -> bytes:
    """Return at most n bytes behind the NULs with which a log begins."""
    found, buffer = b"", bytearray(BLOCK_SIZE)
    while len(found) < n and (read := stream.readinto(memoryview(buffer))):
        found += bytes(buffer[:read]) if found else bytes(buffer[:read]).lstrip(b"\0")
    return found[:n]


def _directives_before(stream: Stream, end: int) -> bytes:
    """Return the directives in force at an offset of a log."""
    directives, carry, left = b"", b"", end
    buffer = bytearray(BLOCK_SIZE)
    while left and (n := stream.readinto(memoryview(buffer)[: min(left, BLOCK_SIZE)])):
        left -= n
        lines = carry + bytes(buffer[:n])
        whole = lines.rfind(b"\n") + 1 or (len(lines) if len(lines) > MAX_LINE_BYTES else 0)
        directives, carry = updated(lines[:whole], directives), lines[whole:]
    return directives


def _behind_last_newline(buffer: Buffer, filled: int) -> int:
    """Return the index behind the last newline, 0 where there is none."""
    end = filled
    while end > 0:
        begin = max(end - (1 << 16), 0)
        found = buffer[begin:end].tobytes().rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0

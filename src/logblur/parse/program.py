"""A `Format` as the arrays that `span_kernels.find_fields` interprets, and the spans it writes."""

from __future__ import annotations

import numpy as np

from logblur.formats import Escape, Field, Format, Kind
from logblur.formats.times import lead
from logblur.jit import Bytes, Ints, Places, Words
from logblur.jit.intrinsics import WIDE
from logblur.parse import span_kernels
from logblur.schema import PAD


class Spans:
    """Where the lines of one block are, why any is refused, and where their fields are; the room is used again."""

    __slots__ = ("at", "line_ends", "lines", "reasons", "table")

    def __init__(self) -> None:
        self.table: Places = np.empty((0, 0), np.uint32)
        self.lines: Places = np.empty(0, np.uint32)
        self.at: Places = self.lines
        self.line_ends: Places = self.lines
        self.reasons: Bytes = np.empty(0, np.uint8)

    def find_lines(self, data: Bytes, size: int, most: int, max_line: int) -> tuple[int, int, int]:
        """Find the lines ``data[:size]``, about so many at most.

        Returns:
            How many may be rows, how many are directives, and where the last of them ends.
        """
        room = size + WIDE + 1
        if room > len(self.lines):  # memory that is asked for but not written to costs nothing
            self.lines, self.at, self.line_ends = np.empty((3, room), np.uint32)
            self.reasons = np.empty(room, np.uint8)
        rows, directives, end = span_kernels.find_lines(
            data, size, most, max_line, self.lines, self.at, self.line_ends, self.reasons
        )
        return int(rows), int(directives), int(end)

    @property
    def starts(self) -> Places:
        """Where each field starts, (fields, lines)."""
        return self.table[:-1:2]

    @property
    def ends(self) -> Places:
        """Where each field ends, (fields, lines)."""
        return self.table[1::2]

    def fit(self, fields: int, rows: int) -> None:
        """Have room for so many rows of so many fields."""
        if 2 * fields >= len(self.table) or rows > self.table.shape[1]:
            self.table = np.empty(
                (max(2 * fields + 1, len(self.table)), max(rows + rows // 4, self.table.shape[1])), np.uint32
            )

    def sift(self, rows: int) -> tuple[Ints, Ints]:
        """Return which of so many lines are refused by nothing, and which by something."""
        kept, gone = np.empty((2, rows), np.int64)
        count = int(span_kernels.sift(self.reasons[:rows], kept, gone))
        return kept[:count], gone[: rows - count]

    def close_up(self, rows: int, gone: Ints, fields: Ints) -> None:
        """Move the lines that are not gone, and their spans of these fields, to the front."""
        span_kernels.close_up(rows, gone, self.lines, fields, self.table)


class Delimited:
    """Finds the fields of a format's own lines: its alternatives are not looked at.

    Args:
        form: What lines look like.
        max_line: A longer line is a reject; bytes.
    """

    __slots__ = ("_heads", "_max_line", "_open_end", "_pool", "_tokens")

    def __init__(self, form: Format, max_line: int) -> None:
        literals = list(form.literals)
        if form.open_end and not literals[-1]:
            literals[-1] = b" "
        required = len(form.fields) - form.optional if form.optional or form.open_end else len(form.fields) + 1
        limits = np.cumsum([0, *map(len, literals)]).tolist()
        rows = [[0, len(literals[0]), 0, 0, 0]]
        for k, (field, literal) in enumerate(zip(form.fields, literals[1:], strict=True), 1):
            mode = _mode(field, literal) | (span_kernels.MAY_END if k >= required else 0)
            passed = lead(field.layout, literal[:1]) if field.kind is Kind.TIME and literal else 0
            guarded = mode & span_kernels.BACKSLASH_GUARDS
            if (
                mode & span_kernels.LISTED or passed or not 0 < len(literal) <= 8 - guarded
                or (guarded and k == 1 and not literals[0])  # no byte stands before it
            ):  # fmt: skip
                mode |= span_kernels.HARD
            rows.append([limits[k], len(literal), (literal or b"\n")[0], mode, passed])
        self._pool: Bytes = np.frombuffer(b"".join(literals) + bytes(PAD), np.uint8)
        self._tokens: Ints = np.array(rows)
        self._heads: Words = np.array(
            [_head(x, row[span_kernels.MODE]) for x, row in zip(literals, rows, strict=True)], np.uint64
        )
        self._open_end, self._max_line = form.open_end, max_line

    def find(self, data: Bytes, size: int, most: int, spans: Spans) -> tuple[int, int, int]:
        """Write the spans of the lines ``data[:size]``; as `Spans.find_lines`."""
        rows, directives, end = spans.find_lines(data, size, most, self._max_line)
        spans.fit(len(self._tokens) - 1, rows)
        span_kernels.find_fields(
            data, rows, self._pool, self._tokens, self._heads, self._open_end, spans.at, spans.line_ends,
            spans.reasons, spans.table,
        )  # fmt: skip
        return rows, directives, end


def _head(literal: bytes, mode: int) -> tuple[int, int]:
    """Return the first bytes of a literal as the kernel compares them, and which these are."""
    guarded = mode & span_kernels.BACKSLASH_GUARDS  # the byte before them is compared by itself
    first = literal[: 8 - guarded]
    return int.from_bytes(first, "little") << 8 * guarded, ((1 << 8 * len(first)) - 1) << 8 * guarded


def _mode(field: Field, literal: bytes) -> int:
    """Return how a field ends, as the kernel knows it."""
    mode = span_kernels.PADDED if field.padded else 0
    if field.listed and not field.quoted and literal[:1] == b" ":
        mode |= span_kernels.LISTED
    if field.quoted:
        doubled = field.escape in {Escape.PERCENT, Escape.DOUBLED}
        mode |= span_kernels.MAY_BE_QUOTED if doubled else span_kernels.BACKSLASH_GUARDS
    return mode | (span_kernels.CLOSED if literal[:1] in {b'"', b"]", b"}", b")"} else 0)

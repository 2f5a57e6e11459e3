"""A `Format` as the arrays that `kernels.find_fields` interprets, and the spans it writes."""

from __future__ import annotations

from typing import Final

import numpy as np

from logblur.formats import CLF, Escape, Field, Format, Kind
from logblur.formats.times import lead
from logblur.jit import Bytes, Codes, Ints, Words
from logblur.parse import kernels
from logblur.schema import PAD

_REFUSING: Final = frozenset({Kind.TIME, Kind.STATUS, Kind.SIZE, Kind.DURATION})

_TEXT_WIDTHS: Final = {"", "remote_user"}
"""Fields that are a lone ``-`` in nearly every log: %l and %u."""


class Spans:
    """Where the fields of the lines of one block are, and which lines are refused; the room is used again."""

    __slots__ = ("bad", "bad_at", "ends", "lines", "starts")

    def __init__(self) -> None:
        self.starts: Codes = np.empty((0, 0), np.int32)
        self.ends: Codes = self.starts
        self.lines: Codes = np.empty(0, np.int32)
        self.bad_at: Codes = np.empty(0, np.int32)
        self.bad: Bytes = np.empty(0, np.uint8)

    def fit(self, fields: int, rows: int, lines: int) -> None:
        """Have room for so many rows of so many fields, of so many lines."""
        if fields > len(self.starts) or rows > len(self.lines):
            fields, rows = max(fields, len(self.starts)), max(rows, len(self.lines))
            self.starts, self.ends = np.empty((fields, rows), np.int32), np.empty((fields, rows), np.int32)
            self.lines = np.empty(rows, np.int32)
        if lines > len(self.bad):
            self.bad_at, self.bad = np.empty(lines, np.int32), np.empty(lines, np.uint8)


class Delimited:
    """Finds the fields of a format's own lines: its alternatives are not looked at.

    Args:
        form: What lines look like.
        max_line: A longer line is a reject; bytes.
        wanted: Columns; the spans of a field that yields none of them, and refuses no line, are not written.
    """

    __slots__ = (
        "_heads", "_leads", "_limits", "_masks", "_max_line", "_modes", "_needed", "_open_end", "_pool", "_required",
        "_shortest", "_stops", "_widths", "fields",
    )  # fmt: skip

    def __init__(self, form: Format, max_line: int, wanted: frozenset[str]) -> None:
        literals = list(form.literals)
        if form.open_end and not literals[-1]:
            literals[-1] = b" "
        self.fields = form.fields
        self._pool: Bytes = np.frombuffer(b"".join(literals) + bytes(PAD), np.uint8)
        self._limits: Ints = np.cumsum([0, *map(len, literals)])
        self._heads: Words = np.array([int.from_bytes(x[:8], "little") for x in literals], np.uint64)
        self._masks: Words = np.array([(1 << 8 * min(len(x), 8)) - 1 for x in literals], np.uint64)
        self._stops: Bytes = np.array([(x or b"\n")[0] for x in literals[1:]], np.uint8)
        self._modes: Bytes = np.array([_mode(f, x) for f, x in zip(form.fields, literals[1:], strict=True)], np.uint8)
        self._widths: Ints = np.array([_width(f) for f in form.fields])
        self._leads: Ints = np.array(
            [
                lead(f.layout, x[:1]) if f.kind is Kind.TIME and x else 0
                for f, x in zip(form.fields, literals[1:], strict=True)
            ]
        )
        self._needed = np.array([f.kind in _REFUSING or not wanted.isdisjoint(f.columns) for f in form.fields])
        self._required = len(form.fields) - form.optional if form.optional or form.open_end else len(form.fields) + 1
        self._open_end, self._max_line = form.open_end, max_line
        self._shortest = 1 + sum(map(len, literals[: self._required]))

    def find(self, data: Bytes, size: int, spans: Spans) -> tuple[int, int, int]:
        """Write the spans of the lines ``data[:size]``; return how many are rows, rejects, and directives."""
        spans.fit(len(self._stops), size // self._shortest + 1, size // 2 + 1)
        rows, rejects, directives = kernels.find_fields(
            data, 0, size, self._pool, self._limits, self._heads, self._masks, self._stops, self._modes, self._widths,
            self._leads, self._needed, self._required, self._open_end, self._max_line, spans.starts, spans.ends,
            spans.lines, spans.bad_at, spans.bad,
        )  # fmt: skip
        return int(rows), int(rejects), int(directives)


def _mode(field: Field, literal: bytes) -> int:
    """Return how a field ends, as the kernel knows it."""
    mode = kernels.PADDED if field.padded else 0
    if field.listed and not field.quoted and literal[:1] == b" ":
        mode |= kernels.LISTED
    if field.quoted:
        doubled = field.escape in {Escape.PERCENT, Escape.DOUBLED}
        mode |= kernels.MAY_BE_QUOTED if doubled else kernels.BACKSLASH_GUARDS
    return mode | (kernels.CLOSED if literal[:1] in {b'"', b"]", b"}", b")"} else 0)


def _width(field: Field) -> int:
    """Return the usual width of a field, 0 where there is none."""
    match field.kind:
        case Kind.TIME:
            return 26 if field.layout == CLF else 0
        case Kind.STATUS:
            return 3
        case Kind.TEXT:
            return int(field.name in _TEXT_WIDTHS and not field.quoted)
    return 0

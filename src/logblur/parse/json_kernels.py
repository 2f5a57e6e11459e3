"""JSON lines: each line walked once, the values of the wanted keys left as spans where they stand.

What a line means is defined in `json_reference` and not repeated here. Time is linear in the line whatever it holds:
the walk never steps back, the line's end is known before it begins, depth is bounded by the stack, and a key is looked
up in a table that no log can change. Loads of `match_mask`, `differ_mask` and `word` are unchecked: see `scan_kernels`.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.formats import CLF
from logblur.formats.times import program
from logblur.jit import inline, lean_kernel
from logblur.jit.intrinsics import WIDE, U, first_bit, fold_multiply, match_mask, same_bytes, word
from logblur.parse.scan_kernels import (
    BACKSLASH,
    BAD_TIME,
    COLON,
    COMMA,
    DASH,
    DIRECTIVE,
    LEFT_BRACKET,
    LETTER_Z,
    NEWLINE,
    PLUS,
    QUOTE,
    RIGHT_BRACKET,
    SLASH,
    SPACE,
    TRAILING,
    UNCLOSED,
    behind_blanks,
    find,
    is_digit,
)
from logblur.parse.value_kernels import NO_TIME, decimal, time_of

MAX_DEPTH = 32
"""Objects and arrays within one another; servers write four."""

BAD_JSON = 10
OPEN_OBJECT, CLOSE_OBJECT, LETTER_T = (np.uint8(c) for c in b"{}T")
NOWHERE, IN_ARRAY = -1, -2
NULL = U(int.from_bytes(b"null", "little"))

BARE = np.zeros(256, np.bool_)
BARE[list(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-._")] = True
"""Bytes of a value without quotes."""


@inline
def string_end(buffer, at, stop):
    """Where the quote stands that no backslash guards; ``stop`` where there is none before it."""
    while at < stop:
        mask = match_mask(buffer, at, QUOTE, BACKSLASH)
        if mask:
            at += first_bit(mask)
            if at >= stop or buffer[at] == QUOTE:
                return min(at, stop)
            at += 2
        else:
            at += WIDE
    return stop


@inline
def child_of(buffer, start, n, node, slots, edges, heads, pool):
    """The node that a key leads to from a node, or `NOWHERE`; see `objects.Objects` for the table."""
    head = word(buffer, start)
    if n < 8:
        head &= (U(1) << U(8 * n)) - U(1)
        tail = head
    else:
        tail = word(buffer, start + n - 8)
    at = np.int64(fold_multiply(head ^ U(node + 1), tail ^ U(n))) & (len(slots) - 1)
    while slots[at] >= 0:
        edge = slots[at]
        known = heads[edge] == head and edges[edge, 0] == node and edges[edge, 2] == n
        if known and same_bytes(buffer, start, pool, edges[edge, 1], n):
            return np.int64(edges[edge, 3])
        at = (at + 1) & (len(slots) - 1)
    return np.int64(NOWHERE)


@lean_kernel
def find_values(
    buffer, rows, slots, edges, heads, pool, below, leaf, marker, stack, lines, line_ends, reasons, starts, ends
):
    """Spans of the values of each line that fits.

    The keys: a table of edges between nodes (`child_of`); values ``below[node, 0]`` to ``below[node, 1]`` lie under a
    node, and ``leaf[node]`` says whether it is itself one. A line that leads to no ``marker`` (a node, or `NOWHERE`) is
    a directive. ``stack`` is room for `MAX_DEPTH` nodes and one. Lines are those of `kernels.find_lines`; writes uint32
    ``starts``, ``ends`` (values, rows; empty where there is none) and the ``reasons`` of lines that do not fit, whose
    spans lie within them and mean nothing.
    """
    for row in range(rows):
        stop, reason = np.int64(line_ends[row]), np.int64(reasons[row])
        at = find(buffer, np.int64(lines[row]), OPEN_OBJECT, stop)  # a carrier's prefix may come before it
        if reason == 0 and at == stop:
            reason = BAD_JSON
        for k in range(len(starts)):
            starts[k, row] = ends[k, row] = at
        marked = marker == NOWHERE
        depth, node, key = 0, 0, False
        while reason == 0:
            c = buffer[at]
            if key:
                close = string_end(buffer, at + 1, stop) if c == QUOTE else stop
                if close == stop:
                    reason = UNCLOSED if c == QUOTE else BAD_JSON
                    break
                node = stack[depth]
                if node != NOWHERE:
                    node = child_of(buffer, at + 1, close - at - 1, node, slots, edges, heads, pool)
                    if node != NOWHERE:
                        marked |= node == marker
                        for k in range(below[node, 0], below[node, 1]):  # the last of equal keys counts
                            starts[k, row] = ends[k, row] = at
                at = behind_blanks(buffer, close + 1)
                if buffer[at] != COLON:
                    reason = BAD_JSON
                    break
                at = behind_blanks(buffer, at + 1)
                c = buffer[at]
            # a value
            if c == QUOTE:
                close = string_end(buffer, at + 1, stop)
                if close == stop:
                    reason = UNCLOSED
                    break
                if node != NOWHERE and leaf[node]:
                    starts[below[node, 0], row], ends[below[node, 0], row] = at + 1, close
                at = close + 1
            elif c == OPEN_OBJECT or c == LEFT_BRACKET:
                if depth == MAX_DEPTH:
                    reason = BAD_JSON
                    break
                depth += 1
                at = behind_blanks(buffer, at + 1)
                key = c == OPEN_OBJECT
                if key:
                    stack[depth] = node
                else:
                    stack[depth] = IN_ARRAY
                    if node != NOWHERE and not leaf[node]:
                        node = NOWHERE
                if buffer[at] != (CLOSE_OBJECT if key else RIGHT_BRACKET):
                    continue
            else:
                bare = at
                while BARE[buffer[at]]:
                    at += 1
                if (
                    node != NOWHERE
                    and leaf[node]
                    and not (at - bare == 4 and word(buffer, bare) & U(0xFFFFFFFF) == NULL)
                ):
                    starts[below[node, 0], row], ends[below[node, 0], row] = bare, at
            # what follows it
            while depth > 0:
                at = behind_blanks(buffer, at)
                c = buffer[at]
                if c == (RIGHT_BRACKET if stack[depth] == IN_ARRAY else CLOSE_OBJECT):
                    depth -= 1
                    at += 1
                    continue
                if c != COMMA:
                    reason = BAD_JSON
                break
            if depth == 0:
                if reason == 0 and behind_blanks(buffer, at) != stop:
                    reason = TRAILING
                break
            at = behind_blanks(buffer, at + 1)
            key, node = stack[depth] != IN_ARRAY, NOWHERE
        reasons[row] = reason if reason or marked else DIRECTIVE


COMMON, DATE, SLASHED, ZONELESS, ZONED = (
    np.array(program(x)) for x in (CLF, "%Y-%m-%d", "%Y/%m/%d", "%H:%M:%S%f", "%H:%M:%S%f%z")
)


@lean_kernel
def any_times(buffer, starts, ends, rows, times, zoneless, reasons):
    """Microseconds since 1970 of times in any of the layouts of `formats.times.ANY`; whether they lack a zone."""
    for row in range(rows):
        zoneless[row] = False
        if reasons[row]:
            continue
        at, end = np.int64(starts[row]), np.int64(ends[row])
        if end - at >= 2 and buffer[at] == LEFT_BRACKET and buffer[end - 1] == RIGHT_BRACKET:
            at, end = at + 1, end - 1
        time = np.int64(NO_TIME)
        digits = at
        while digits < end and is_digit(buffer[digits]):
            digits += 1
        n = digits - at
        c = buffer[digits] if digits < end else NEWLINE
        if n == 4 and (c == DASH or c == SLASH) and end - at > 11:
            clock = at + 11
            zone = clock
            while zone < end and not (buffer[zone] == LETTER_Z or buffer[zone] == PLUS or buffer[zone] == DASH):
                zone += 1
            date = time_of(buffer, at, at + 10, DATE if c == DASH else SLASHED)
            if date != NO_TIME and (buffer[at + 10] == LETTER_T or buffer[at + 10] == SPACE):
                if zone == end:
                    time, zoneless[row] = time_of(buffer, clock, end, ZONELESS), True
                else:
                    time = time_of(buffer, clock, end, ZONED)
                if time != NO_TIME:
                    time += date
        elif n > 2:
            power = 6 if n <= 11 else 3 if n <= 14 else 0 if n <= 17 else -3
            value = decimal(buffer, at, end, power)
            if value >= 0:
                time = value
        else:
            time = time_of(buffer, at, end, COMMON)
        if time == NO_TIME:
            time = np.int64(0)
            reasons[row] = BAD_TIME
        times[row] = time

"""The hot core, first step: lines, then the spans of their fields, in blocks of whole lines.

BE ADVISED. `find_fields` interprets the token program with 64-byte compares. Three things make it fast, and must be
kept when it changes: (1) it goes field by field over some hundred lines, so that what it knows of the field stays in
registers and the scan of one line does not wait for that of the line before; (2) nothing that depends on the data
steers a position but the compare's own result; what is rare (escapes, short lines, refused ones) is `hard_field`'s;
(3) spans are written field by field, so that each later kernel walks two arrays in order.

To debug: run `reference.parse` on the same block; the two agree on rows, values, reasons and offsets. What each value
means is defined there and not repeated in the kernels.

Cost: measured in docs/performance.md.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import brief_kernel, inline, lean_kernel
from logblur.jit.intrinsics import WIDE, U, first_bit, match_mask, word
from logblur.parse.scan_kernels import (
    BACKSLASH,
    COLON,
    COMMA,
    NEWLINE,
    NUMBER_SIGN,
    QUOTE,
    SHORT,
    SPACE,
    TOO_FEW,
    TOO_LONG,
    TRAILING,
    UNCLOSED,
    behind_blanks,
    find,
    without_blanks,
)

BACKSLASH_GUARDS, CLOSED, MAY_BE_QUOTED, PADDED, LISTED, MAY_END, HARD = 1, 2, 4, 8, 16, 32, 64
LITERAL, LENGTH, STOP, MODE, LEAD = range(5)
"""Columns of the token program, see `find_fields`."""
BATCH = 128
"""Lines whose fields are found together: they and their spans stay in the nearest caches."""
BOM = np.frombuffer(b"\xef\xbb\xbf", np.uint8)


@inline
def literal_at(buffer, position, pool, start, length):
    """Whether the literal ``pool[start:start + length]`` stands here."""
    for k in range(length):
        if buffer[position + k] != pool[start + k]:
            return False
    return True


@inline
def line_begin(buffer, at):
    """Where a line begins behind a byte order mark, and behind NULs: the hole that a log cut in place leaves."""
    if buffer[at] == BOM[0] and buffer[at + 1] == BOM[1] and buffer[at + 2] == BOM[2]:
        at += 3
    while buffer[at] == 0:
        at += 1
    return at


@lean_kernel
def find_lines(buffer, size, most, max_line, lines, at, line_ends, reasons):
    """Where lines start and end that are neither blank nor comments, and where their first byte is that is no blank.

    Writes uint32 ``lines``, ``line_ends``, ``at`` and uint8 ``reasons`` (`TOO_LONG` or 0); there is room for `WIDE`
    more line ends than bytes. What is too long has nothing to be read: ``at`` is its end. Stops soon behind the line
    that is number ``most``. Returns lines, directives, and where the last of them ends.
    """
    count = position = 0
    while position < size and count < most:
        mask = match_mask(buffer, position, NEWLINE, NEWLINE)
        line_ends[np.uint32(count)] = position + first_bit(mask)  # most often none or one, and no branch tells which
        count += mask != U(0)
        mask &= mask - U(1)
        while mask:
            line_ends[np.uint32(count)] = position + first_bit(mask)
            count += 1
            mask &= mask - U(1)
        position += WIDE
    while count > 0 and line_ends[count - 1] >= size:  # newlines of the padding
        count -= 1
    row, line = 0, np.int64(0)
    for k in range(count):
        end = np.int64(line_ends[k])
        first, begin, too_long = buffer[line], line, end - line > max_line
        directive = False
        if first <= SPACE or first == NUMBER_SIGN or first == BOM[0]:  # rare: nothing, a comment, or blanks before
            begin = line_begin(buffer, line)
            first, too_long = buffer[begin], end - begin > max_line
            begin = behind_blanks(buffer, begin)
            directive = not too_long and (begin == end or first == NUMBER_SIGN)
        lines[row], line_ends[row], at[row] = line, end, end if too_long else begin
        reasons[row] = TOO_LONG if too_long else 0
        row += not directive
        line = end + 1
    return row, count - row, line


@brief_kernel
def ends_of(buffer, begins, size, ends):
    """Where the lines end that begin there, behind their newlines."""
    for k in range(len(begins)):
        ends[k] = find(buffer, begins[k], NEWLINE, size) + 1


@lean_kernel
def has_directives(buffer, size):
    """Whether any of the lines begins with a number sign."""
    for position in range(0, size, WIDE):
        mask = match_mask(buffer, position, NUMBER_SIGN, NUMBER_SIGN)
        while mask:
            at = position + first_bit(mask)
            if at == 0 or buffer[at - 1] == NEWLINE:
                return True
            mask &= mask - U(1)
    return False


@inline
def closing_quote(buffer, at, end):
    """Where the quote stands that is not doubled; ``end`` if there is none."""
    at = find(buffer, at, QUOTE, end)
    while at < end and buffer[at + 1] == QUOTE:
        at = find(buffer, at + 2, QUOTE, end)
    return at


@inline
def within_list(buffer, at, start):
    """Whether the space here stands between two items of a list: behind a comma, or around a lone colon."""
    if at > start and buffer[at - 1] == COMMA:
        return True
    if buffer[at + 1] == COLON and buffer[at + 2] == SPACE:
        return True
    return at > start + 1 and buffer[at - 1] == COLON and buffer[at - 2] == SPACE


@lean_kernel
def hard_field(buffer, start, end, pool, literal, length, stop, mode, lead):
    """A field by its definition: where it starts and ends, where the next one starts, and 0, `SHORT` or a reason."""
    guarded = mode & BACKSLASH_GUARDS != 0
    if mode & MAY_BE_QUOTED and buffer[start] == QUOTE:
        close = closing_quote(buffer, start + 1, end)
        if close < end:
            behind = literal_at(buffer, close + 1, pool, literal, length)
            if length and behind:
                return start + 1, close, close + 1 + length, 0
            if (length == 0 or mode & MAY_END) and behind_blanks(buffer, close + 1) == end:
                return start + 1, close, end, SHORT
    if length == 0:  # the last field, to the end of the line
        return start, without_blanks(buffer, start, end), end, 0
    at = find(buffer, min(start + lead, end), stop, end)
    while at < end:
        escaped = False
        if guarded:
            back = at
            while back > start and buffer[back - 1] == BACKSLASH:
                back -= 1
            escaped = (at - back) % 2 == 1
        elif mode & LISTED:
            escaped = within_list(buffer, at, start)
        if not escaped:
            if literal_at(buffer, at, pool, literal, length):
                return start, at, at + length, 0
            if mode & MAY_END and mode & CLOSED and behind_blanks(buffer, at + 1) == end:
                return start, at, end, SHORT
        at = find(buffer, at + 1, stop, end)
    if mode & MAY_END and not guarded:
        return start, without_blanks(buffer, start, end), end, SHORT
    return end, end, end, UNCLOSED if guarded else TOO_FEW


@lean_kernel
def find_field(
    buffer, pool, literal, length, stop, mode, lead, head, mask, line_ends, reasons, starts, ends, behind
):  # fmt: skip
    """Ends of one field of some lines, and where it starts behind it: a short way for what is plain.

    Where a backslash may guard a quote, ``head`` is the byte before the literal, which must be none, and the literal.
    """
    guarded = 1 if mode & BACKSLASH_GUARDS else 0
    doubled, padded, hard, odd = mode & MAY_BE_QUOTED, mode & PADDED, mode & HARD, U(BACKSLASH if guarded else NEWLINE)
    for row in range(len(starts)):
        start, end = np.int64(starts[row]), np.int64(line_ends[row])
        if padded and buffer[start] == SPACE:
            while buffer[start] == SPACE:
                start += 1
            starts[row] = start
        close = end if hard else start
        while close < end:
            hits = match_mask(buffer, close, stop, stop)
            close += first_bit(hits)
            if hits:
                break
        text = word(buffer, min(close, end) - guarded)  # a look that finds nothing ends behind the padding
        plain = close < end and text & mask == head and text & U(0xFF) != odd
        if plain and not (doubled and buffer[start] == QUOTE):
            ends[row], behind[row] = close, close + length
        elif reasons[row]:  # nothing more of it
            starts[row] = ends[row] = behind[row] = end
        else:
            starts[row], ends[row], behind[row], reasons[row] = hard_field(
                buffer, start, end, pool, literal, length, stop, mode, lead
            )


@lean_kernel
def find_fields(buffer, rows, pool, tokens, heads, open_end, at, line_ends, reasons, spans):
    """Spans of the fields of each line that fits.

    The program: literal k is ``pool[tokens[k, LITERAL]:][: tokens[k, LENGTH]]``, ``heads[k, 0]`` what `find_field`
    compares and ``heads[k, 1]`` its mask. Field k ends at literal k + 1, whose row also says at which byte (``STOP``),
    how (``MODE``: `BACKSLASH_GUARDS` …; `HARD` what `find_field` leaves to `hard_field`), and how many bytes of it
    cannot be its end (``LEAD``). What a line lacks that may end early is empty. Lines are those of `find_lines`; field
    k starts at ``spans[2 * k]`` and ends at ``spans[2 * k + 1]``, uint32 (one row more than twice the fields, rows).
    Writes the ``reasons`` of lines that do not fit, whose spans lie within them and mean nothing.
    """
    rest = spans[2 * len(tokens) - 2]
    for first in range(0, rows, BATCH):
        after = min(first + BATCH, rows)
        for row in range(first, after):
            position = np.int64(at[row])
            if literal_at(buffer, position, pool, tokens[0, LITERAL], tokens[0, LENGTH]):
                position += tokens[0, LENGTH]
            elif reasons[row] == 0:
                reasons[row] = TOO_FEW
            spans[0, row] = line_ends[row] if reasons[row] else position
        for k in range(1, len(tokens)):
            find_field(
                buffer, pool, tokens[k, LITERAL], tokens[k, LENGTH], np.uint8(tokens[k, STOP]), tokens[k, MODE],
                tokens[k, LEAD], heads[k, 0], heads[k, 1], line_ends[first:after], reasons[first:after],
                spans[2 * k - 2, first:after], spans[2 * k - 1, first:after], spans[2 * k, first:after],
            )  # fmt: skip
        for row in range(first, after):
            if reasons[row] == SHORT:
                reasons[row] = 0
            elif reasons[row] == 0 and not open_end and behind_blanks(buffer, np.int64(rest[row])) < line_ends[row]:
                reasons[row] = TRAILING


@brief_kernel
def sift(reasons, kept, gone):
    """Write which lines are refused by nothing, and which by something, ascending; return how many are kept."""
    count = 0
    for row in range(len(reasons)):
        kept[count] = row
        gone[row - count] = row
        count += reasons[row] == 0
    return count


@brief_kernel
def pick(values, rows, out):
    """Write the values of these rows."""
    for k in range(len(rows)):
        out[k] = values[rows[k]]


@brief_kernel
def put(values, out):
    """Write all values."""
    for k in range(len(values)):
        out[k] = values[k]


@brief_kernel
def close_up(rows, gone, lines, kept, spans):
    """Move the lines that are not ``gone`` (ascending), and the spans of the fields ``kept``, to the front."""
    for k in range(2 * len(kept) + 1):
        column = spans[2 * kept[k // 2] + k % 2] if k < 2 * len(kept) else lines
        row = gone[0]
        for i in range(len(gone)):
            for found in range(gone[i] + 1, gone[i + 1] if i + 1 < len(gone) else rows):
                column[np.uint32(row)] = column[np.uint32(found)]
                row += 1

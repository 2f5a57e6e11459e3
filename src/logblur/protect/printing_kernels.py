"""Lines put together again, compiled: texts of addresses, and the pieces of each row, one behind the other.

BE ADVISED. `move` copies `LANES` bytes whatever the piece's length and the next piece overwrites what was too much, so
every array read or written here is padded by `schema.PAD` bytes, and ``out`` has room for all: writes are unchecked.
A text in the store is known by one number, where it starts and how long it is: ``start << WIDTH | length``.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, kernel
from logblur.jit.intrinsics import LANES, U, move, prefetch

DOT, COLON, ZERO, DASH, NEWLINE, OPEN, CLOSE = (np.uint8(c) for c in b".:0-\n[]")
DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
WIDTH = 27
LENGTH = (1 << WIDTH) - 1
AHEAD = 12  # rows: by then what was prefetched is there
NOWHERE, PLAIN, BRACKETED = range(3)  # how an IPv6 address may stand


@inline
def put_decimal(out, at, value):
    """Write a number below 256; return where it ends."""
    if value >= 100:
        out[at], at = DIGITS[value // 100], at + 1
    if value >= 10:
        out[at], at = DIGITS[value // 10 % 10], at + 1
    out[at] = DIGITS[value % 10]
    return at + 1


@inline
def group(high, low, k):
    """The k-th of an address' eight groups."""
    half = high if k < 4 else low
    return np.int64(half >> U(16 * (3 - k % 4)) & U(0xFFFF))


@inline
def put(out, at, data, start, end):
    """Copy a span; return where it ends."""
    move(out, at, data, start)
    done = at + LANES
    while done < at + end - start:
        move(out, done, data, start + done - at)
        done += LANES
    return at + end - start


@kernel
def print_addresses(high, low, family, ipv6, behind, left, out, ends):
    """Write the text of each address (RFC 5952), ``-`` for none, and ``behind[:left]``; ``ends`` is where it ends."""
    at = 0
    for row in range(len(high)):
        h, l = high[row], low[row]
        if family[row] == 4:
            for k in range(4):
                if k:
                    out[at], at = DOT, at + 1
                at = put_decimal(out, at, np.int64(l >> U(24 - 8 * k) & U(0xFF)))
        elif family[row] == 0 or ipv6 == NOWHERE:
            out[at], at = DASH, at + 1
        else:
            longest = start = length = 0  # the first longest run of two zero groups or more
            for k in range(8):
                length = length + 1 if group(h, l, k) == 0 else 0
                if length > longest and length > 1:
                    longest, start = length, k + 1 - length
            if ipv6 == BRACKETED:
                out[at], at = OPEN, at + 1
            k = 0
            while k < 8:
                if longest and k == start:
                    out[at], out[at + 1], at, k = COLON, COLON, at + 2, k + longest
                    continue
                if (k and k != start + longest) or (k and not longest):
                    out[at], at = COLON, at + 1
                value = group(h, l, k)
                for shift in (12, 8, 4, 0):
                    if value >> shift or shift == 0:
                        out[at], at = DIGITS[value >> shift & 15], at + 1
                k += 1
            if ipv6 == BRACKETED:
                out[at], at = CLOSE, at + 1
        at = put(out, at, behind, 0, left)
        ends[row] = at


@kernel
def splice(block, store, pool, literals, first, last, texts, lines, table, gaps, nothing, out, line_ends):
    """Put each row together: a literal, then piece by piece, each with a literal behind; return the bytes written.

    ``pool[literals[k]:literals[k + 1]]`` is the literal before piece k. A piece is a text of the store for each row,
    the next of ``texts`` (pieces, rows), where ``first[k]`` is negative. Otherwise it is what stands in the block from
    field ``first[k]`` to ``last[k]`` of line ``lines[row]``; ``table`` says where each field starts and ends. Where the
    literals ``pool[gaps[f]:gaps[f + 1]]`` do not stand between them as they are, or a field is empty in whose place
    ``pool[nothing[f]:nothing[f + 1]]`` stands, they are put one by one.
    """
    at, pieces, rows = np.int64(0), len(first), len(lines)
    for row in range(rows):
        line, text = lines[row], 0
        at = put(out, at, pool, literals[0], literals[1])
        for k in range(pieces):
            if first[k] < 0:
                prefetch(store, texts[text, min(row + AHEAD, rows - 1)] >> WIDTH)
                start = texts[text, row] >> WIDTH
                at = put(out, at, store, start, start + (texts[text, row] & LENGTH))
                text += 1
                continue
            whole = True
            for f in range(first[k], last[k] + 1):
                whole &= table[2 * f, line] < table[2 * f + 1, line] or nothing[f] == nothing[f + 1]
                if f < last[k]:
                    apart = np.int64(table[2 * f + 2, line]) - np.int64(table[2 * f + 1, line])
                    whole &= apart == gaps[f + 1] - gaps[f]
            if whole:
                at = put(out, at, block, np.int64(table[2 * first[k], line]), np.int64(table[2 * last[k] + 1, line]))
            else:
                for f in range(first[k], last[k] + 1):
                    start, end = np.int64(table[2 * f, line]), np.int64(table[2 * f + 1, line])
                    if start < end:
                        at = put(out, at, block, start, end)
                    else:
                        at = put(out, at, pool, nothing[f], nothing[f + 1])
                    if f < last[k]:
                        at = put(out, at, pool, gaps[f], gaps[f + 1])
            at = put(out, at, pool, literals[k + 1], literals[k + 2])
        line_ends[row] = at
    return at


@kernel
def weave(second, a, a_ends, b, b_ends, out, ends):
    """Put the lines of a and b in the order of their rows; ``second`` says which are of b."""
    at = i = j = np.int64(0)
    for row in range(len(second)):
        if second[row]:
            at = put(out, at, b, b_ends[j - 1] if j else np.int64(0), b_ends[j])
            j += 1
        else:
            at = put(out, at, a, a_ends[i - 1] if i else np.int64(0), a_ends[i])
            i += 1
        ends[row] = at

"""Lines put together again, compiled: texts of addresses, and the pieces of each row, one behind the other.

BE ADVISED. `move` copies `LANES` bytes whatever the piece's length and the next piece overwrites what was too much, so
every array read or written here is padded by `schema.PAD` bytes.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, lean_kernel
from logblur.jit.intrinsics import LANES, U, move

DOT, COLON, ZERO, DASH, NEWLINE, OPEN, CLOSE = (np.uint8(c) for c in b".:0-\n[]")
DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
STORE, FRESH = 1 << 40, 1 << 41  # where the addresses of the store and of the fresh arena begin
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


@lean_kernel
def print_addresses(high, low, family, ipv6, out, ends):
    """Write the text of each address (RFC 5952), ``-`` for none, one behind the other; ``ends`` is where each ends."""
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
        ends[row] = at


@inline
def put(out, at, data, start, end):
    """Copy a span; return where it ends."""
    while end - start > LANES:
        move(out, at, data, start)
        at, start = at + LANES, start + LANES
    if end > start:
        move(out, at, data, start)
    return at + end - start


@lean_kernel
def splice(block, store, fresh, pool, limits, starts, ends, out, line_ends):
    """Put each row together: literal, piece, literal, piece …, a last literal, a newline; return the bytes written.

    ``pool[limits[k]:limits[k + 1]]`` is the literal before piece k. Piece k of a row is ``starts[k, row]`` to
    ``ends[k, row]`` of the block, or, from `STORE` on, of the store, or, from `FRESH` on, of the fresh arena.
    """
    at, pieces = np.int64(0), len(starts)
    for row in range(len(line_ends)):
        for k in range(pieces):
            at = put(out, at, pool, limits[k], limits[k + 1])
            start, end = starts[k, row], ends[k, row]
            if start < STORE:
                at = put(out, at, block, start, end)
            elif start < FRESH:
                at = put(out, at, store, start - STORE, end - STORE)
            else:
                at = put(out, at, fresh, start - FRESH, end - FRESH)
        at = put(out, at, pool, limits[pieces], limits[pieces + 1])
        out[at], at = NEWLINE, at + 1
        line_ends[row] = at
    return at

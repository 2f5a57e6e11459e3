"""Values in other forms: reversed, in percent, hex, base64; what of a form can be looked for."""

from __future__ import annotations

from typing import Final

import numpy as np

from logblur.jit import Bytes, Ints, inline, kernel
from logblur.privacy.search_kernels import GAP, SHORTEST, WORD, WORDS

REVERSED, HEX, ALL_PERCENT, PERCENT, BASE64, BASE64URL, GROUPS = range(7)

_SMALL = np.frombuffer(b"0123456789abcdef", np.uint8)
_LARGE = np.frombuffer(b"0123456789ABCDEF", np.uint8)
_COMMON = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_STANDARD = np.frombuffer(_COMMON + b"+/", np.uint8)
_FOR_URLS = np.frombuffer(_COMMON + b"-_", np.uint8)
_PLAIN = np.isin(np.arange(256), np.frombuffer(_COMMON + b"-_.~", np.uint8))  # what percent encoding leaves as it is
LONGEST: Final = 3
"""Bytes of a form for each byte of its value, at most; and as many more for each value."""


@kernel
def trim(arena: Bytes, kind: Bytes, starts: Ints, ends: Ints) -> None:
    """Narrow each span to its words, from the first to the last that a search looks at; empty where that is short."""
    for row in range(len(starts)):
        at, limit = starts[row], ends[row]
        while at < limit and kind[arena[at]] != WORD:
            at += 1
        start = end = at
        words = 0
        while words < WORDS:
            while at < limit and kind[arena[at]] == WORD:
                at += 1
            end, words = at, words + 1
            while at < limit and at - end < GAP and kind[arena[at]] == 0:
                at += 1
            if at == end or at == limit or kind[arena[at]] != WORD:
                break
        starts[row], ends[row] = start, end if end - start >= SHORTEST else start


@inline
def write_base64(arena: Bytes, start: np.int64, end: np.int64, letters: Bytes, out: Bytes, at: np.int64) -> np.int64:
    """Write base64 without padding; return where it ends."""
    bits = held = np.int64(0)
    for k in range(start, end):
        held, bits = (held << 8 | np.int64(arena[k])) & 0xFFFF, bits + 8
        while bits >= 6:
            bits -= 6
            out[at], at = letters[held >> bits & 63], at + 1
    if bits:
        out[at], at = letters[held << (6 - bits) & 63], at + 1
    return at


@kernel
def spell(form: int, arena: Bytes, starts: Ints, ends: Ints, out: Bytes, begins: Ints, limits: Ints) -> None:
    """Write each value in a form, one behind the other; nothing for a value that the form leaves as it is.

    ``GROUPS`` is an address of 16 bytes as eight groups of four digits.
    """
    at = np.int64(0)
    for row in range(len(starts)):
        start, end, begin = starts[row], ends[row], at
        if form == REVERSED:
            for k in range(end - 1, start - 1, -1):
                out[at], at = arena[k], at + 1
        elif form == HEX or form == GROUPS:
            for k in range(start, end):
                if form == GROUPS and k > start and (k - start) % 2 == 0:
                    out[at], at = np.uint8(58), at + 1
                out[at], out[at + 1], at = _SMALL[arena[k] >> 4], _SMALL[arena[k] & 15], at + 2
        elif form == ALL_PERCENT:  # from the first digit on, as many words as a search looks at
            for k in range(start, min(end, start + WORDS)):
                if k > start:
                    out[at], at = np.uint8(37), at + 1
                out[at], out[at + 1], at = _SMALL[arena[k] >> 4], _SMALL[arena[k] & 15], at + 2
        elif form == PERCENT:
            for k in range(start, end):
                if _PLAIN[arena[k]]:
                    out[at], at = arena[k], at + 1
                else:
                    out[at], out[at + 1], out[at + 2] = np.uint8(37), _LARGE[arena[k] >> 4], _LARGE[arena[k] & 15]
                    at += 3
            if at - begin == end - start:
                at = begin
        elif form == BASE64:
            at = write_base64(arena, start, end, _STANDARD, out, at)
        else:
            at = write_base64(arena, start, end, _FOR_URLS, out, at)
            told = False
            for k in range(begin, at):
                told |= out[k] == 45 or out[k] == 95
            if not told:
                at = begin
        begins[row], limits[row] = begin, at

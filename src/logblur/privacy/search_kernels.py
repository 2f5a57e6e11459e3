"""Finds a million needles in any amount of text, in one pass.

A needle begins and ends at the edge of a word (letters and digits; every byte past ASCII is a letter). Needles are
hashed word by word: the table holds the hash of each needle up to each of its words. The text is read once: at the
beginning of a word, the word's hash is looked up; only where a needle begins so does the search go on to the next word
behind it. So a step is lost on text that is no needle, and at most `WORDS` where an attacker wrote nearly one. Hashes
begin with a random number of the process, and what is found is compared byte by byte.

What must change together: `WORDS` and `GAP` here and in `needles.Needles`, which cuts needles to them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from logblur.jit import Bytes, Codes, Ints, Words, inline, kernel

WORDS: Final = 24
"""Words of a needle that are looked at."""

GAP: Final = 4
"""Bytes between two words of a needle, at most."""

SKIP: Final = np.uint8(0)  # no part of a word
BREAK: Final = np.uint8(2)  # a newline: no needle goes past it
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)

CASED: Final = 1  # compared with regard to case
ALONE: Final = 2  # a whole cell, between newlines
NO_NETWORK: Final = 4  # not followed by a slash: then it is a network, published on purpose


@inline
def mixed(h: np.uint64, byte: np.uint8) -> np.uint64:
    """Return the hash with one more byte."""
    h = (h ^ np.uint64(byte)) * _PRIME
    return h ^ (h >> np.uint64(29))


@inline
def place_of(h: np.uint64, keys: Words) -> np.int64:
    """Return where a hash is in the table, or the empty slot where it would be."""
    at = np.int64(h >> np.uint64(17)) & (len(keys) - 1)
    while keys[at] != 0 and keys[at] != h:
        at = (at + 1) & (len(keys) - 1)
    return at


@kernel
def index(
    arena: Bytes, starts: Ints, ends: Ints, fold: Bytes, kind: Bytes, seed: np.uint64,
    keys: Words, finals: Codes, deeper: Bytes, bits: Words,
) -> None:  # fmt: skip
    """Enter each needle, up to each of its words; the first of equal ones is the one that is found."""
    for needle in range(len(starts)):
        at, end = starts[needle], ends[needle]
        h = seed
        while at < end:
            while at < end and kind[arena[at]] != 1:
                h = mixed(h, fold[arena[at]])
                at += 1
            while at < end and kind[arena[at]] == 1:
                h = mixed(h, fold[arena[at]])
                at += 1
            slot = place_of(h | np.uint64(1), keys)
            if keys[slot] == 0:
                keys[slot] = h | np.uint64(1)
                finals[slot] = -1
                bit = np.int64(h >> np.uint64(8)) & (len(bits) * 64 - 1)
                bits[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)
            if at < end:
                deeper[slot] = 1
            elif finals[slot] < 0:
                finals[slot] = needle


@kernel
def search(
    text: Bytes, begin: int, limit: int, size: int, arena: Bytes, starts: Ints, ends: Ints, flags: Bytes,
    fold: Bytes, kind: Bytes, seed: np.uint64, keys: Words, finals: Codes, deeper: Bytes, bits: Words,
    counts: Ints, found: Codes, places: Ints,
) -> int:  # fmt: skip
    """Count the needles that begin in ``text[begin:limit]``; bytes up to ``size`` may be read.

    ``begin`` is the beginning of the text or a byte that is no part of a word, or behind one.

    Returns:
        How many entries of ``found`` and ``places`` are filled: the needle, and where it begins. When they are full the
        counting goes on.
    """
    at, hits = begin, 0
    last = np.int64(len(bits) * 64 - 1)
    while at < limit:
        if kind[text[at]] != 1:
            at += 1
            continue
        first = at
        h = seed
        while at < size and kind[text[at]] == 1:
            h = mixed(h, fold[text[at]])
            at += 1
        here, words = at, 0
        while words < WORDS:
            bit = np.int64(h >> np.uint64(8)) & last
            if not (bits[bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1):
                break
            slot = place_of(h | np.uint64(1), keys)
            if keys[slot] == 0:
                break
            needle = finals[slot]
            if needle >= 0:
                flag = flags[needle]
                same = ends[needle] - starts[needle] == here - first
                if same and flag & ALONE:
                    same = (first == 0 or kind[text[first - 1]] == BREAK) and (
                        here == size or kind[text[here]] == BREAK
                    )
                if same and flag & NO_NETWORK:
                    same = here == size or text[here] != 47
                k = 0
                while same and k < here - first:
                    a, b = text[first + k], arena[starts[needle] + k]
                    same = a == b if flag & CASED else fold[a] == fold[b]
                    k += 1
                if same:
                    counts[needle] += 1
                    if hits < len(found):
                        found[hits], places[hits] = needle, first
                        hits += 1
            if not deeper[slot]:
                break
            gap = 0
            while here < size and gap < GAP and kind[text[here]] == SKIP:
                h = mixed(h, fold[text[here]])
                here += 1
                gap += 1
            if gap == 0 or here == size or kind[text[here]] != 1:
                break
            while here < size and kind[text[here]] == 1:
                h = mixed(h, fold[text[here]])
                here += 1
            words += 1
    return hits


@kernel
def separate(page: Bytes, at: np.int64) -> np.int64:
    """Put newlines in place of the lengths before each value of a PLAIN page; return how far they led."""
    size = len(page)
    while at + 4 <= size:
        length = (
            np.int64(page[at])
            | np.int64(page[at + 1]) << 8
            | np.int64(page[at + 2]) << 16
            | np.int64(page[at + 3]) << 24
        )
        if length < 0 or at + 4 + length > size:
            break
        page[at : at + 4] = 10
        at += 4 + length
    return at

"""Finds a million needles in any amount of text, in one pass.

A needle begins and ends at the edge of a word (letters and digits; every byte past ASCII is a letter). Three steps,
each for what the one before lets through:

- `near`, a bitmap that a cache holds: may a needle begin with these `SHORTEST` bytes? Asked where a word begins.
- `beginnings`, a bitmap of the hash of every needle up to each of its words: asked word by word, so that the search
  goes on only where a needle does.
- `slots`, a hash table of the needles; what it finds is compared byte by byte.

So text that is no needle costs a step a byte, and text that an attacker made nearly one at most `WORDS` words for each.
Hashes begin with a random number of the process.

What must change together: `WORDS` and `GAP` here and `form_kernels.trim`, which cuts needles to them.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from logblur.jit import Bytes, Codes, Ints, Words, inline, kernel

SHORTEST: Final = 7
"""Bytes of a needle, at least: shorter ones are found anywhere by chance."""

WORDS: Final = 24
"""Words of a needle that are looked at."""

GAP: Final = 4
"""Bytes between two words of a needle, at most."""

SKIP, WORD, BREAK = np.uint8(0), np.uint8(1), np.uint8(2)  # of a byte: between words, of a word, a newline
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_BEGIN: Final = np.uint64((1 << 8 * SHORTEST) - 1)

CASED: Final = 1  # compared with regard to case
ALONE: Final = 2  # a whole cell, between newlines
NO_NETWORK: Final = 4  # not followed by a slash: then it is a network, published on purpose


@inline
def mixed(h: np.uint64, byte: np.uint8) -> np.uint64:
    """Return the hash with one more byte."""
    h = (h ^ np.uint64(byte)) * _PRIME
    return h ^ (h >> np.uint64(29))


@inline
def has(bits: Words, h: np.uint64) -> bool:
    """Say whether a bitmap holds a hash; now and then it does without."""
    bit = np.int64(h >> np.uint64(20)) & (len(bits) * 64 - 1)
    return bool(bits[bit >> 6] >> np.uint64(bit & 63) & np.uint64(1))


@inline
def put(bits: Words, h: np.uint64) -> None:
    """Enter a hash in a bitmap."""
    bit = np.int64(h >> np.uint64(20)) & (len(bits) * 64 - 1)
    bits[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)


@inline
def begun(window: np.uint64, seed: np.uint64) -> np.uint64:
    """Return the hash of the last `SHORTEST` bytes of a window."""
    h = ((window & _BEGIN) ^ seed) * _PRIME
    return h ^ (h >> np.uint64(32))


@inline
def same(text: Bytes, at: np.int64, arena: Bytes, start: np.int64, size: np.int64, fold: Bytes, cased: bool) -> bool:
    """Say whether two spans are equal, with regard to case or without."""
    for k in range(size):
        a, b = text[at + k], arena[start + k]
        if a != b and (cased or fold[a] != fold[b]):
            return False
    return True


@inline
def empty_or_same(
    h: np.uint64, needle: int, slots: Words, arena: Bytes, starts: Ints, ends: Ints, fold: Bytes
) -> np.int64:
    """Return the slot that holds a needle's equal, or the free one where it belongs."""
    size = ends[needle] - starts[needle]
    at = np.int64(h & np.uint64(len(slots) - 1))
    while slots[at] != 0:
        other = np.int64(slots[at] & np.uint64(0xFFFFFFFF)) - 1
        if (
            slots[at] >> np.uint64(32) == h >> np.uint64(32)
            and ends[other] - starts[other] == size
            and same(arena, starts[needle], arena, starts[other], size, fold, False)
        ):
            break
        at = (at + 1) & (len(slots) - 1)
    return at


@kernel
def index(
    arena: Bytes, starts: Ints, ends: Ints, flags: Bytes, fold: Bytes, kind: Bytes, seed: np.uint64,
    near: Words, beginnings: Words, slots: Words, first: Codes,
) -> None:  # fmt: skip
    """Enter each needle; of those that are equal but for case, the first that has the fewest conditions is found.

    ``first`` is by needle the earliest one that equals it, -1 where a needle is too short.
    """
    for needle in range(len(starts)):
        at, end = starts[needle], ends[needle]
        first[needle] = -1
        if end - at < SHORTEST:
            continue
        window = np.uint64(0)
        for k in range(SHORTEST):
            window = window << np.uint64(8) | np.uint64(fold[arena[at + k]])
        put(near, begun(window, seed))
        h = seed
        while at < end:
            while at < end and kind[arena[at]] != WORD:
                h = mixed(h, fold[arena[at]])
                at += 1
            while at < end and kind[arena[at]] == WORD:
                h = mixed(h, fold[arena[at]])
                at += 1
            put(beginnings, h)
        slot = empty_or_same(h, needle, slots, arena, starts, ends, fold)
        entry = (h >> np.uint64(32)) << np.uint64(32) | np.uint64(needle + 1)
        if slots[slot] == 0:
            slots[slot], first[needle] = entry, needle
        else:
            other = np.int64(slots[slot] & np.uint64(0xFFFFFFFF)) - 1
            first[needle] = first[other]
            if flags[other] != 0 and flags[needle] == 0:
                slots[slot] = entry


@inline
def fits(text: Bytes, at: np.int64, end: np.int64, flag: np.uint8, kind: Bytes) -> bool:
    """Say whether what stands around a needle is as its flags say."""
    size = len(text)
    if flag & ALONE and not ((at == 0 or kind[text[at - 1]] == BREAK) and (end == size or kind[text[end]] == BREAK)):
        return False
    return not (flag & NO_NETWORK and end < size and text[end] == 47)


@kernel
def search(
    text: Bytes, begin: np.int64, arena: Bytes, starts: Ints, ends: Ints, flags: Bytes, fold: Bytes, kind: Bytes,
    seed: np.uint64, near: Words, beginnings: Words, slots: Words, found: Codes, places: Ints,
) -> tuple[np.int64, np.int64]:  # fmt: skip
    """Find the needles that begin at ``begin`` or behind it: which, and where, until the room is full.

    Returns:
        How many entries of ``found`` and ``places`` are filled, and where to go on: the text's length when it is done.
    """
    size, hits, at = len(text), np.int64(0), begin
    window, recent = np.uint64(0), np.uint64(0)
    within = at > 0 and kind[text[at - 1]] == WORD
    while at < size:
        byte = text[at]
        word = kind[byte] == WORD
        window = window << np.uint64(8) | np.uint64(fold[byte])
        recent = recent << np.uint64(1) | np.uint64(word and not within)
        within = word
        at += 1
        # a word that began SHORTEST bytes ago
        if not (recent >> np.uint64(SHORTEST - 1)) & np.uint64(1) or not has(near, begun(window, seed)):
            continue
        start = at - SHORTEST
        if hits + WORDS > len(found):
            return hits, start
        h, here, words = seed, start, 0
        while words < WORDS:
            while here < size and kind[text[here]] == WORD:
                h = mixed(h, fold[text[here]])
                here += 1
            if not has(beginnings, h):
                break
            slot = np.int64(h & np.uint64(len(slots) - 1))
            while slots[slot] != 0:
                if slots[slot] >> np.uint64(32) == h >> np.uint64(32):
                    needle = np.int64(slots[slot] & np.uint64(0xFFFFFFFF)) - 1
                    length, flag = ends[needle] - starts[needle], flags[needle]
                    if (
                        length == here - start
                        and fits(text, start, here, flag, kind)
                        and same(text, start, arena, starts[needle], length, fold, flag & CASED != 0)
                    ):
                        found[hits], places[hits] = needle, start
                        hits += 1
                        break
                slot = (slot + 1) & (len(slots) - 1)
            gap = 0
            while here < size and gap < GAP and kind[text[here]] == SKIP:
                h = mixed(h, fold[text[here]])
                here += 1
                gap += 1
            if gap == 0 or here == size or kind[text[here]] != WORD:
                break
            words += 1
    return hits, np.int64(size)


@kernel
def count_clients(
    found: Codes, begins: Ints, ends: Ints, clients: Words, enough: int, seed: np.uint64,
    known: Words, counts: Ints, start: int, room: int,
) -> tuple[np.int64, np.int64]:  # fmt: skip
    """Count the distinct clients of each needle, up to ``enough``: find k is of ``clients[begins[k]:ends[k]]``.

    ``known`` is the set of (needle, client) that were counted; at most ``room`` are added.

    Returns:
        How many were added, and the find to go on with: as many as there are when all are counted.
    """
    added = np.int64(0)
    for k in range(start, len(found)):
        needle = found[k]
        if added + enough > room and counts[needle] < enough:
            return added, np.int64(k)
        at = begins[k]
        while at < ends[k] and counts[needle] < enough:
            pair = (clients[at] ^ (np.uint64(needle) + np.uint64(1)) * _PRIME ^ seed) * _PRIME
            pair = (pair ^ (pair >> np.uint64(29))) * _PRIME | np.uint64(1)
            slot = np.int64(pair >> np.uint64(17)) & (len(known) - 1)
            while known[slot] != 0 and known[slot] != pair:
                slot = (slot + 1) & (len(known) - 1)
            if known[slot] == 0:
                known[slot] = pair
                counts[needle] += 1
                added += 1
            at += 1
    return added, np.int64(len(found))


@kernel
def moved(old: Words, new: Words) -> None:
    """Enter the pairs of one set in a larger one."""
    for pair in old:
        if pair != 0:
            slot = np.int64(pair >> np.uint64(17)) & (len(new) - 1)
            while new[slot] != 0:
                slot = (slot + 1) & (len(new) - 1)
            new[slot] = pair


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

"""KIASU-BC, the tweakable AES-128 of ipcrypt-nd: 64 blocks at once, as bit planes.

The trick: `planes[j, b]` is one word that holds bit b of byte j of 64 blocks, so each logical operation works on all of
them; ShiftRows is a renaming, MixColumns a few xors, and SubBytes is computed as FIPS 197 defines it: the inverse in
GF(2^8), which is x^254, then an affine map. No table is read and no branch depends on a key, a tweak or an address, so
neither caches nor timing tell anything of them. To debug: with tweaks of zero it is AES-128.

Sources: FIPS 197; Jean, Nikolić, Peyrin, "Tweaks and Keys for Block Ciphers: the TWEAKEY Framework" (2014), as
draft-denis-ipcrypt, "KIASU-BC Implementation Guide", profiles it.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from logblur.jit import kernel
from logblur.jit.intrinsics import U

ROUNDS = 10


@kernel
def load(planes, j):
    """The eight planes of byte j."""
    return (
        planes[j, 0], planes[j, 1], planes[j, 2], planes[j, 3], planes[j, 4], planes[j, 5], planes[j, 6], planes[j, 7],
    )  # fmt: skip


@kernel
def store(planes, j, x):
    planes[j, 0], planes[j, 1], planes[j, 2], planes[j, 3] = x[0], x[1], x[2], x[3]
    planes[j, 4], planes[j, 5], planes[j, 6], planes[j, 7] = x[4], x[5], x[6], x[7]


@kernel
def add(x, y):
    return (x[0] ^ y[0], x[1] ^ y[1], x[2] ^ y[2], x[3] ^ y[3], x[4] ^ y[4], x[5] ^ y[5], x[6] ^ y[6], x[7] ^ y[7])


@kernel
def doubled(x):
    """Times two in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1."""
    return (x[7], x[0] ^ x[7], x[1], x[2] ^ x[7], x[3] ^ x[7], x[4], x[5], x[6])


@kernel
def reduced(x, high):
    """The polynomial of eight coefficients ``x`` and seven higher ones, modulo x^8 + x^4 + x^3 + x + 1."""
    c0, c1, c2, c3, c4, c5, c6, c7 = x
    c8, c9, c10, c11, c12, c13, c14 = high
    c10, c9, c7, c6 = c10 ^ c14, c9 ^ c14, c7 ^ c14, c6 ^ c14
    c9, c8, c6, c5 = c9 ^ c13, c8 ^ c13, c6 ^ c13, c5 ^ c13
    c8, c7, c5, c4 = c8 ^ c12, c7 ^ c12, c5 ^ c12, c4 ^ c12
    c7, c6, c4, c3 = c7 ^ c11, c6 ^ c11, c4 ^ c11, c3 ^ c11
    c6, c5, c3, c2 = c6 ^ c10, c5 ^ c10, c3 ^ c10, c2 ^ c10
    c5, c4, c2, c1 = c5 ^ c9, c4 ^ c9, c2 ^ c9, c1 ^ c9
    return c0 ^ c8, c1 ^ c8, c2, c3 ^ c8, c4 ^ c8, c5, c6, c7


@kernel
def squared(x):
    o = U(0)
    return reduced((x[0], o, x[1], o, x[2], o, x[3], o), (x[4], o, x[5], o, x[6], o, x[7]))


@kernel
def multiplied(x, y):
    a0, a1, a2, a3, a4, a5, a6, a7 = x
    b0, b1, b2, b3, b4, b5, b6, b7 = y
    low = (
        a0 & b0,
        a0 & b1 ^ a1 & b0,
        a0 & b2 ^ a1 & b1 ^ a2 & b0,
        a0 & b3 ^ a1 & b2 ^ a2 & b1 ^ a3 & b0,
        a0 & b4 ^ a1 & b3 ^ a2 & b2 ^ a3 & b1 ^ a4 & b0,
        a0 & b5 ^ a1 & b4 ^ a2 & b3 ^ a3 & b2 ^ a4 & b1 ^ a5 & b0,
        a0 & b6 ^ a1 & b5 ^ a2 & b4 ^ a3 & b3 ^ a4 & b2 ^ a5 & b1 ^ a6 & b0,
        a0 & b7 ^ a1 & b6 ^ a2 & b5 ^ a3 & b4 ^ a4 & b3 ^ a5 & b2 ^ a6 & b1 ^ a7 & b0,
    )
    high = (
        a1 & b7 ^ a2 & b6 ^ a3 & b5 ^ a4 & b4 ^ a5 & b3 ^ a6 & b2 ^ a7 & b1,
        a2 & b7 ^ a3 & b6 ^ a4 & b5 ^ a5 & b4 ^ a6 & b3 ^ a7 & b2,
        a3 & b7 ^ a4 & b6 ^ a5 & b5 ^ a6 & b4 ^ a7 & b3,
        a4 & b7 ^ a5 & b6 ^ a6 & b5 ^ a7 & b4,
        a5 & b7 ^ a6 & b6 ^ a7 & b5,
        a6 & b7 ^ a7 & b6,
        a7 & b7,
    )
    return reduced(low, high)


@kernel
def inverted(x):
    """x^254, which is 1 / x in GF(2^8), and 0 for 0."""
    x2 = squared(x)
    x3 = multiplied(x2, x)
    x12 = squared(squared(x3))
    x15 = multiplied(x12, x3)
    x240 = squared(squared(squared(squared(x15))))
    return multiplied(multiplied(x240, x12), x2)


@kernel
def substituted(x):
    """The S-box: 1 / x, then the affine map whose constant is 63 hex (FIPS 197, section 5.1.1)."""
    x0, x1, x2, x3, x4, x5, x6, x7 = inverted(x)
    return (
        ~(x0 ^ x4 ^ x5 ^ x6 ^ x7),
        ~(x1 ^ x5 ^ x6 ^ x7 ^ x0),
        x2 ^ x6 ^ x7 ^ x0 ^ x1,
        x3 ^ x7 ^ x0 ^ x1 ^ x2,
        x4 ^ x0 ^ x1 ^ x2 ^ x3,
        ~(x5 ^ x1 ^ x2 ^ x3 ^ x4),
        ~(x6 ^ x2 ^ x3 ^ x4 ^ x5),
        x7 ^ x3 ^ x4 ^ x5 ^ x6,
    )


@kernel
def unsubstituted(x):
    """The inverse S-box: the inverse of the affine map, then 1 / x (FIPS 197, section 5.3.2)."""
    x0, x1, x2, x3, x4, x5, x6, x7 = x
    return inverted(
        (
            ~(x2 ^ x5 ^ x7),
            x3 ^ x6 ^ x0,
            ~(x4 ^ x7 ^ x1),
            x5 ^ x0 ^ x2,
            x6 ^ x1 ^ x3,
            x7 ^ x2 ^ x4,
            x0 ^ x3 ^ x5,
            x1 ^ x4 ^ x6,
        )
    )


@kernel
def expand_key(key, keys):
    """Write the eleven round keys of a 16-byte key as planes, (11, 16, 8): each word all ones or all zeros."""
    for j in range(16):
        for b in range(8):
            keys[0, j, b] = U(0) - (U(key[j]) >> U(b) & U(1))
    constant = U(1)
    for r in range(1, ROUNDS + 1):
        before, now = keys[r - 1], keys[r]
        for j in range(4):
            store(now, j, add(load(before, j), substituted(load(before, 12 + (j + 1) % 4))))
        for b in range(8):
            now[0, b] ^= U(0) - (constant >> U(b) & U(1))
        constant = constant << U(1) ^ U(0x11B) * (constant >> U(7))
        for j in range(4, 16):
            store(now, j, add(load(before, j), load(now, j - 4)))


@kernel
def transposed(x):
    """Bit 8 r + c of the word becomes bit 8 c + r (Hacker's Delight, section 7-3)."""
    t = (x ^ x >> U(7)) & U(0x00AA00AA00AA00AA)
    x ^= t ^ t << U(7)
    t = (x ^ x >> U(14)) & U(0x0000CCCC0000CCCC)
    x ^= t ^ t << U(14)
    t = (x ^ x >> U(28)) & U(0x00000000F0F0F0F0)
    return x ^ t ^ t << U(28)


@kernel
def to_planes(rows, first, last, planes):
    """Spread the bytes of the rows (at most 64) over the planes; rows that are missing are zero."""
    planes[:] = U(0)
    for j in range(rows.shape[1]):
        for group in range(first, last, 8):
            x = U(0)
            for k in range(min(8, last - group)):
                x |= U(rows[group + k, j]) << U(8 * k)
            x = transposed(x)
            for b in range(8):
                planes[j, b] |= (x >> U(8 * b) & U(0xFF)) << U(group - first)


@kernel
def from_planes(planes, first, last, rows):
    for j in range(rows.shape[1]):
        for group in range(first, last, 8):
            x = U(0)
            for b in range(8):
                x |= (planes[j, b] >> U(group - first) & U(0xFF)) << U(8 * b)
            x = transposed(x)
            for k in range(min(8, last - group)):
                rows[group + k, j] = np.uint8(x >> U(8 * k) & U(0xFF))


@kernel
def add_round_key(state, key, tweak):
    """Xor round key and tweak; the tweak's byte pairs stand at the top of each column."""
    for j in range(16):
        store(state, j, add(load(state, j), load(key, j)))
    for i in range(8):
        j = i // 2 * 4 + i % 2
        store(state, j, add(load(state, j), load(tweak, i)))


@kernel
def mix_columns(state):
    for c in range(0, 16, 4):
        x0, x1, x2, x3 = load(state, c), load(state, c + 1), load(state, c + 2), load(state, c + 3)
        total = add(add(x0, x1), add(x2, x3))
        store(state, c, add(add(x0, total), doubled(add(x0, x1))))
        store(state, c + 1, add(add(x1, total), doubled(add(x1, x2))))
        store(state, c + 2, add(add(x2, total), doubled(add(x2, x3))))
        store(state, c + 3, add(add(x3, total), doubled(add(x3, x0))))


@kernel
def unmix_columns(state):
    """The inverse of `mix_columns`: 0e 0b 0d 09 is 02 03 01 01 times 05 00 04 00, so a step, then `mix_columns`."""
    for c in range(0, 16, 4):
        for r in range(2):
            x, y = load(state, c + r), load(state, c + r + 2)
            four = doubled(doubled(add(x, y)))
            store(state, c + r, add(x, four))
            store(state, c + r + 2, add(y, four))
    mix_columns(state)


@kernel
def encrypt(blocks, tweaks, keys, out):
    """KIASU-BC of each block (rows, 16) with its tweak (rows, 8), under round keys of `expand_key`."""
    state, moved, tweak = np.empty((16, 8), np.uint64), np.empty((16, 8), np.uint64), np.empty((8, 8), np.uint64)
    for first in range(0, len(blocks), 64):
        last = min(first + 64, len(blocks))
        to_planes(blocks, first, last, state)
        to_planes(tweaks, first, last, tweak)
        add_round_key(state, keys[0], tweak)
        for r in range(1, ROUNDS + 1):
            for j in range(16):  # row j % 4 moves to the left by its number
                store(moved, j, substituted(load(state, (j + 4 * (j % 4)) % 16)))
            state, moved = moved, state
            if r < ROUNDS:
                mix_columns(state)
            add_round_key(state, keys[r], tweak)
        from_planes(state, first, last, out)


@kernel
def decrypt(blocks, tweaks, keys, out):
    """The inverse of `encrypt`."""
    state, moved, tweak = np.empty((16, 8), np.uint64), np.empty((16, 8), np.uint64), np.empty((8, 8), np.uint64)
    for first in range(0, len(blocks), 64):
        last = min(first + 64, len(blocks))
        to_planes(blocks, first, last, state)
        to_planes(tweaks, first, last, tweak)
        for r in range(ROUNDS, 0, -1):
            add_round_key(state, keys[r], tweak)
            if r < ROUNDS:
                unmix_columns(state)
            for j in range(16):
                store(moved, (j + 4 * (j % 4)) % 16, unsubstituted(load(state, j)))
            state, moved = moved, state
        add_round_key(state, keys[0], tweak)
        from_planes(state, first, last, out)

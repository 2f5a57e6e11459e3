"""Prefix-preserving encryption of addresses: ipcrypt-pfx and Crypto-PAn.

Both flip each bit of an address by one pseudorandom bit that its prefix decides. Sorted, an address needs AES for those
prefixes only that the one before it does not have; level by level, so that decryption, which learns each bit from the
bits before it, is the same walk with another source of prefixes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.protect import aes
from logblur.protect import prefix_kernels as kernels

Words = npt.NDArray[np.uint64]
Lengths = npt.NDArray[np.int16]

CHUNK: Final = 8192
"""Addresses that walk together: their blocks stay in the cache, and calls of AES cost nothing beside its work."""

_IPV4_BITS: Final = range(96, 128)
_IPV6_BITS: Final = range(128)


def pfx(high: Words, low: Words, key: bytes, *, inverse: bool) -> tuple[Words, Words]:
    """Return these values (IPv4 as ::ffff:0:0/96) through ipcrypt-pfx under a 32-byte key, or back.

    Source:
        draft-denis-ipcrypt, "Prefix-Preserving Encryption (ipcrypt-pfx)".
    """
    first, second = aes.encryptor(key[: aes.BLOCK]), aes.encryptor(key[aes.BLOCK :])
    blocks, one, other = _room(), _room(), _room()

    def bits(high: Words, low: Words, shared: Lengths, level: int) -> Words:
        size = 2 * kernels.numbered_prefixes(high, low, shared, level, blocks)
        first.update_into(blocks[:size].view(np.uint8).data, one.view(np.uint8).data)
        second.update_into(blocks[:size].view(np.uint8).data, other.view(np.uint8).data)
        # the sum of two permutations; its last bit is the lowest of the last byte, bit 56 of the second word
        return (one[1:size:2] ^ other[1:size:2]) >> np.uint64(56)

    out_high, out_low = high.copy(), low.copy()
    for rows, levels in _families(high, low, _IPV4_BITS):
        out_high[rows], out_low[rows] = _walk(high[rows], low[rows], levels, bits, inverse=inverse)
    return out_high, out_low


def cryptopan(high: Words, low: Words, key: bytes, *, inverse: bool) -> tuple[Words, Words]:
    """Return these values (IPv4 as ::ffff:0:0/96) through Crypto-PAn under a 32-byte key, or back.

    Source:
        Xu, Fan, Ammar, Moon, "Prefix-Preserving IP Address Anonymization" (2002), and its authors' program: the first
        half of the key is AES-128's, the second, encrypted, the pad. IPv6 as later programs extended it: 128 levels.
    """
    cipher = aes.encryptor(key[: aes.BLOCK])
    pad = np.frombuffer(cipher.update(key[aes.BLOCK :]), ">u8").astype(np.uint64)
    blocks, out = _room(), _room()

    def bits(high: Words, low: Words, shared: Lengths, level: int) -> Words:
        size = 2 * kernels.filled_prefixes(high, low, shared, level, pad[0], pad[1], blocks)
        cipher.update_into(blocks[:size].view(np.uint8).data, out.view(np.uint8).data)
        return out[:size:2] >> np.uint64(7)  # its first bit is the highest of the first byte, bit 7 of the first word

    out_high, out_low = high.copy(), low.copy()
    for rows, levels in _families(high, low, range(32)):
        if levels is _IPV6_BITS:
            out_high[rows], out_low[rows] = _walk(high[rows], low[rows], levels, bits, inverse=inverse)
        else:  # an IPv4 address of its own, at the top of the block
            top = low[rows] << np.uint64(32)
            top, _ = _walk(top, np.zeros_like(top), levels, bits, inverse=inverse)
            out_low[rows] = np.uint64(0xFFFF << 32) | top >> np.uint64(32)
    return out_high, out_low


Bits = Callable[[Words, Words, Lengths, int], Words]
"""Given values, shared bits and a level: for each distinct prefix of so many bits a word whose last bit counts."""


def _walk(high: Words, low: Words, levels: range, bits: Bits, *, inverse: bool) -> tuple[Words, Words]:
    """Return the values with the bits of ``levels`` flipped as their prefixes say."""
    order = np.lexsort((low, high))
    sorted_high, sorted_low = high[order], low[order]
    flipped_high, flipped_low = sorted_high.copy(), sorted_low.copy()
    for start in range(0, len(order), CHUNK):
        rows = slice(start, start + CHUNK)
        given, flipped = (sorted_high[rows], sorted_low[rows]), (flipped_high[rows], flipped_low[rows])
        # prefixes of plain addresses are equal exactly where those of encrypted ones are: either way this tells
        shared = np.empty(len(given[0]), np.int16)
        kernels.shared_bits(*given, shared)
        plain = flipped if inverse else given  # where decryption has come to is the plain prefix so far
        for level in levels:
            kernels.flip(bits(*plain, shared, level), shared, level, *flipped)
    out_high, out_low = np.empty_like(high), np.empty_like(low)
    out_high[order], out_low[order] = flipped_high, flipped_low
    return out_high, out_low


def _families(high: Words, low: Words, ipv4_levels: range) -> list[tuple[npt.NDArray[np.int64], range]]:
    ipv4 = (high == 0) & (low >> np.uint64(32) == 0xFFFF)
    return [(np.flatnonzero(ipv4), ipv4_levels), (np.flatnonzero(~ipv4), _IPV6_BITS)]


def _room() -> Words:
    return np.empty(2 * CHUNK + 2, np.uint64)  # and what `update_into` asks for beyond the last block

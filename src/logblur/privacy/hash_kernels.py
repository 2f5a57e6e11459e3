"""Unkeyed hashes of IPv4 addresses as text, many millions a second, compared with what was published.

Every message is shorter than 16 bytes, so each hash is one block, or less than one. What is returned are the first 64
bits of the digest, big-endian; a hash of 32 bits stands in the upper half.

Source:
    RFC 1321 (MD5), RFC 3174 (SHA-1), FIPS 180-4 (SHA-256), ISO 3309 (CRC-32), xxHash's doc/xxhash_spec.md.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

from typing import Final

import numpy as np

from logblur.jit import Bytes, Words, inline, kernel

MD5: Final = 0
SHA1: Final = 1
SHA256: Final = 2
CRC32: Final = 3
XXH32: Final = 4
XXH64: Final = 5

U32 = np.uint32
U64 = np.uint64

_SINES: Final = np.floor(np.abs(np.sin(np.arange(1, 65))) * 2.0**32).astype(np.uint32)
_TURNS: Final = np.array(
    [7, 12, 17, 22] * 4 + [5, 9, 14, 20] * 4 + [4, 11, 16, 23] * 4 + [6, 10, 15, 21] * 4, np.uint32
)


def _primes(count: int) -> list[int]:
    found = [2]
    while len(found) < count:
        found.append(next(n for n in range(found[-1] + 1, found[-1] * 2 + 1) if all(n % p for p in found)))
    return found


def _root(prime: int, degree: int) -> int:
    """Return the first 32 bits of the fraction of a prime's square or cube root, exactly."""
    scaled, low, high = prime << (32 * degree), 0, prime << 32
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= scaled else (low, middle - 1)
    return low & 0xFFFFFFFF


_CUBES: Final = np.array([_root(p, 3) for p in _primes(64)], np.uint32)
_SQUARES: Final = np.array([_root(p, 2) for p in _primes(8)], np.uint32)


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC: Final = np.array(_crc_table(), np.uint32)


@inline
def left(x, n):
    """Turn a word of 32 bits to the left."""
    return U32(U32(x << U32(n)) | U32(x >> U32(32 - n)))


@inline
def left64(x, n):
    """Turn a word of 64 bits to the left."""
    return U64(x << U64(n)) | U64(x >> U64(64 - n))


@inline
def octets(address, text):
    """Write an address as text; return its length."""
    at = 0
    for k in range(4):
        octet = (address >> (24 - 8 * k)) & 255
        if k:
            text[at] = 46
            at += 1
        if octet >= 100:
            text[at] = 48 + octet // 100
            at += 1
        if octet >= 10:
            text[at] = 48 + octet // 10 % 10
            at += 1
        text[at] = 48 + octet % 10
        at += 1
    return at


@inline
def block_of(text, size, words, big):
    """Put a message and its padding into the 16 words of a block."""
    words[:16] = 0
    for k in range(size + 1):
        byte = U32(128) if k == size else U32(text[k])
        shift = 24 - 8 * (k & 3) if big else 8 * (k & 3)
        words[k >> 2] |= U32(byte << U32(shift))
    words[15 if big else 14] = U32(size * 8)


@inline
def md5(text, size, words):
    """Return the first 64 bits of MD5."""
    block_of(text, size, words, False)
    a, b, c, d = U32(0x67452301), U32(0xEFCDAB89), U32(0x98BADCFE), U32(0x10325476)
    for k in range(64):
        if k < 16:
            f, g = (b & c) | (~b & d), k
        elif k < 32:
            f, g = (d & b) | (~d & c), (5 * k + 1) & 15
        elif k < 48:
            f, g = b ^ c ^ d, (3 * k + 5) & 15
        else:
            f, g = c ^ (b | U32(~d)), (7 * k) & 15
        turned = left(U32(U32(f) + a + _SINES[k] + words[g]), _TURNS[k])
        a, d, c, b = d, c, b, U32(b + turned)
    first, second = U32(a + U32(0x67452301)), U32(b + U32(0xEFCDAB89))
    out = U64(0)
    for k in range(4):
        out |= U64((first >> U32(8 * k)) & U32(255)) << U64(56 - 8 * k)
        out |= U64((second >> U32(8 * k)) & U32(255)) << U64(24 - 8 * k)
    return out


@inline
def sha1(text, size, words):
    """Return the first 64 bits of SHA-1."""
    block_of(text, size, words, True)
    for k in range(16, 80):
        words[k] = left(words[k - 3] ^ words[k - 8] ^ words[k - 14] ^ words[k - 16], 1)
    a, b, c, d, e = U32(0x67452301), U32(0xEFCDAB89), U32(0x98BADCFE), U32(0x10325476), U32(0xC3D2E1F0)
    for k in range(80):
        if k < 20:
            f, q = (b & c) | (~b & d), U32(0x5A827999)
        elif k < 40:
            f, q = b ^ c ^ d, U32(0x6ED9EBA1)
        elif k < 60:
            f, q = (b & c) | (b & d) | (c & d), U32(0x8F1BBCDC)
        else:
            f, q = b ^ c ^ d, U32(0xCA62C1D6)
        a, b, c, d, e = U32(left(a, 5) + U32(f) + e + q + words[k]), a, left(b, 30), c, d
    return U64(U32(a + U32(0x67452301))) << U64(32) | U64(U32(b + U32(0xEFCDAB89)))


@inline
def sha256(text, size, words):
    """Return the first 64 bits of SHA-256."""
    block_of(text, size, words, True)
    for k in range(16, 64):
        x, y = words[k - 15], words[k - 2]
        s = left(x, 25) ^ left(x, 14) ^ (x >> U32(3))
        t = left(y, 15) ^ left(y, 13) ^ (y >> U32(10))
        words[k] = U32(words[k - 16] + s + words[k - 7] + t)
    a, b, c, d = _SQUARES[0], _SQUARES[1], _SQUARES[2], _SQUARES[3]
    e, f, g, h = _SQUARES[4], _SQUARES[5], _SQUARES[6], _SQUARES[7]
    for k in range(64):
        s = left(e, 26) ^ left(e, 21) ^ left(e, 7)
        one = U32(h + s + ((e & f) ^ (~e & g)) + _CUBES[k] + words[k])
        t = left(a, 30) ^ left(a, 19) ^ left(a, 10)
        two = U32(t + ((a & b) ^ (a & c) ^ (b & c)))
        h, g, f, e, d, c, b, a = g, f, e, U32(d + one), c, b, a, U32(one + two)
    return U64(U32(a + _SQUARES[0])) << U64(32) | U64(U32(b + _SQUARES[1]))


@inline
def crc32(text, size):
    """Return CRC-32 in the upper half."""
    crc = U32(0xFFFFFFFF)
    for k in range(size):
        crc = U32((crc >> U32(8)) ^ _CRC[(crc ^ U32(text[k])) & U32(255)])
    return U64(U32(~crc)) << U64(32)


@inline
def word_at(text, at):
    """Return four bytes of a text, little-endian."""
    return U32(text[at]) | U32(text[at + 1]) << U32(8) | U32(text[at + 2]) << U32(16) | U32(text[at + 3]) << U32(24)


@inline
def xxh32(text, size):
    """Return XXH32 of fewer than 16 bytes, seed 0, in the upper half."""
    h, at = U32(U32(374761393) + U32(size)), 0
    while at + 4 <= size:
        h = U32(left(U32(h + U32(word_at(text, at) * U32(3266489917))), 17) * U32(668265263))
        at += 4
    while at < size:
        h = U32(left(U32(h + U32(U32(text[at]) * U32(374761393))), 11) * U32(2654435761))
        at += 1
    h = U32((h ^ (h >> U32(15))) * U32(2246822519))
    h = U32((h ^ (h >> U32(13))) * U32(3266489917))
    return U64(U32(h ^ (h >> U32(16)))) << U64(32)


@inline
def xxh64(text, size):
    """Return XXH64 of fewer than 32 bytes, seed 0."""
    one, two, three = U64(11400714785074694791), U64(14029467366897019727), U64(1609587929392839161)
    four, five = U64(9650029242287828579), U64(2870177450012600261)
    h, at = five + U64(size), 0
    while at + 8 <= size:
        lane = U64(word_at(text, at)) | U64(word_at(text, at + 4)) << U64(32)
        h = left64(h ^ (left64(lane * two, 31) * one), 27) * one + four
        at += 8
    if at + 4 <= size:
        h = left64(h ^ (U64(word_at(text, at)) * one), 23) * two + three
        at += 4
    while at < size:
        h = left64(h ^ (U64(text[at]) * five), 11) * one
        at += 1
    h = (h ^ (h >> U64(33))) * two
    h = (h ^ (h >> U64(29))) * three
    return h ^ (h >> U64(32))


@inline
def digest(kind, text, size, words):
    """Return the first 64 bits of a hash."""
    if kind == MD5:
        return md5(text, size, words)
    if kind == SHA1:
        return sha1(text, size, words)
    if kind == SHA256:
        return sha256(text, size, words)
    if kind == CRC32:
        return crc32(text, size)
    if kind == XXH32:
        return xxh32(text, size)
    return xxh64(text, size)


@kernel
def attack(kind: int, addresses: Words, count: int, mask: np.uint64, targets: Words, bits: Words, hit: Bytes) -> int:
    """Mark the targets that are hashes of addresses.

    Args:
        kind: Which hash.
        addresses: The addresses; or one, the first of ``count`` that follow each other.
        count: How many.
        mask: The bits of a digest that were published.
        targets: The published digests, masked, ascending.
        bits: 2^24 bits: which first 24 bits a target has.
        hit: By target, 1 where it is the hash of an address.

    Returns:
        How many addresses were tried.
    """
    text, words = np.empty(16, np.uint8), np.empty(80, np.uint32)
    for k in range(count):
        address = np.int64(addresses[k] if len(addresses) == count else addresses[0] + U64(k))
        value = digest(kind, text, octets(address, text), words) & mask
        top = np.int64(value >> U64(40))
        if (bits[top >> 6] >> U64(top & 63)) & U64(1):
            low, high = 0, len(targets)
            while low < high:
                middle = (low + high) >> 1
                if targets[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            if low < len(targets) and targets[low] == value:
                hit[low] = 1
    return count


@kernel
def hashes(kind: int, addresses: Words, out: Words) -> None:
    """Put the first 64 bits of each address's hash into ``out``; for tests against other implementations."""
    text, words = np.empty(16, np.uint8), np.empty(80, np.uint32)
    for k in range(len(addresses)):
        out[k] = digest(kind, text, octets(np.int64(addresses[k]), text), words)

"""Prefixes of addresses, compiled: truncation that knows what IPv6 addresses hold, and prefix-preserving encryption."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

from logblur.jit import inline, lean_kernel
from logblur.jit.intrinsics import U


@inline
def kept_bits(h, l, ipv4_prefix, ipv6_prefix):
    """How many leading bits of a value truncation keeps; the table in `addresses.truncate` says why."""
    ipv4, middle = 96 + ipv4_prefix, l >> U(32)  # bits 64 to 95
    if h == 0 and middle == U(0xFFFF):
        return ipv4
    kept = ipv6_prefix
    if h == 0 and (middle == 0 or middle == U(0xFFFF0000)):  # IPv4-compatible, IPv4-translated
        kept = min(kept, ipv4)
    if h == U(0x0064FF9B00000000) and middle == 0:  # NAT64
        kept = min(kept, ipv4)
    if h >> U(16) == U(0x0064FF9B0001):  # NAT64, local
        kept = min(kept, 48)
    if h >> U(48) == U(0x2002):  # 6to4
        kept = min(kept, 16 + ipv4_prefix)
    if h >> U(32) == U(0x20010000):  # Teredo
        kept = min(kept, 32)
    if middle & ~U(0x02000000) == U(0x5EFE) or l >> U(24) & U(0xFFFF) == U(0xFFFE):  # ISATAP, EUI-64
        kept = min(kept, 64)
    return kept


@lean_kernel
def truncate(high, low, ipv4_prefix, ipv6_prefix):
    """Zero what `kept_bits` does not keep of each value; what is left may look like a structure of its own: again."""
    for i in range(len(high)):
        for _ in range(2):
            cut = 128 - kept_bits(high[i], low[i], ipv4_prefix, ipv6_prefix)
            if cut >= 64:
                low[i] = U(0)
                high[i] = high[i] >> U(cut - 64) << U(cut - 64) if cut < 128 else U(0)
            else:
                low[i] = low[i] >> U(cut) << U(cut)


@inline
def swapped(x):
    """The word with its bytes in reverse: AES blocks are big-endian, words here little-endian."""
    x = (x & U(0x00FF00FF00FF00FF)) << U(8) | (x >> U(8)) & U(0x00FF00FF00FF00FF)
    x = (x & U(0x0000FFFF0000FFFF)) << U(16) | (x >> U(16)) & U(0x0000FFFF0000FFFF)
    return x << U(32) | x >> U(32)


@lean_kernel
def shared_bits(high, low, out):
    """How many leading bits each 128-bit value shares with the one before it; -1 for the first, 128 for a repeat."""
    for i in range(len(high)):
        if i == 0:
            out[i] = -1
            continue
        count, x = 0, high[i] ^ high[i - 1]
        if x == 0:
            count, x = 64, low[i] ^ low[i - 1]
        if x == 0:
            count = 128
        while x and x < U(1) << U(63):
            count, x = count + 1, x << U(1)
        out[i] = count


@lean_kernel
def numbered_prefixes(high, low, shared, level, blocks):
    """For ipcrypt-pfx: write each prefix of ``level`` bits once, below a one, as a block; return how many."""
    count = 0
    for i in range(len(high)):
        if shared[i] >= level:
            continue
        if level <= 64:
            h = U(1) if level == 64 else U(0)
            l = high[i] >> U(64 - level) if level else U(0)
            l |= U(0) if level == 64 else U(1) << U(level)
        else:
            h = high[i] >> U(128 - level) | U(1) << U(level - 64)
            l = low[i] >> U(128 - level) | high[i] << U(level - 64)
        blocks[2 * count], blocks[2 * count + 1] = swapped(h), swapped(l)
        count += 1
    return count


@lean_kernel
def filled_prefixes(high, low, shared, level, pad_high, pad_low, blocks):
    """For Crypto-PAn: write each prefix of ``level`` bits once, filled up from the pad, as a block; return how many."""
    ones = ~U(0)
    mask_high = ones if level >= 64 else ones << U(64 - level) if level else U(0)
    mask_low = ones << U(128 - level) if level > 64 else U(0)
    count = 0
    for i in range(len(high)):
        if shared[i] >= level:
            continue
        blocks[2 * count] = swapped(high[i] & mask_high | pad_high & ~mask_high)
        blocks[2 * count + 1] = swapped(low[i] & mask_low | pad_low & ~mask_low)
        count += 1
    return count


@lean_kernel
def flip(bits, shared, level, high, low):
    """Xor bit ``level`` (0 is the first) of each value with the lowest bit of what its prefix gave."""
    n, bit = 0, U(0)
    for i in range(len(high)):
        if shared[i] < level:
            bit = bits[n] & U(1)
            n += 1
        if level < 64:
            high[i] ^= bit << U(63 - level)
        else:
            low[i] ^= bit << U(127 - level)

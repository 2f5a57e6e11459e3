"""Addresses, tokens and universes: what protection does per row or per distinct value, compiled.

Sources: RFC 4291 section 2.2 and RFC 5952 (address texts; strict, as Python's `ipaddress`), SipHash-2-4 (Aumasson and
Bernstein, 2012; verified against published vectors in the tests).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, kernel
from logblur.jit.intrinsics import U

DOT, COLON = np.uint8(ord(".")), np.uint8(ord(":"))
MEMO = 1 << 14
HEX = np.array([int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else 255 for c in range(256)], np.uint8)


@inline
def ipv4_value(data, start, end):
    """The 32-bit value of a dotted quad without leading zeros, or -1."""
    value = part = digits = dots = np.int64(0)
    for at in range(start, end):
        c = data[at]
        if 48 <= c <= 57:
            if digits == 3 or (digits and part == 0):
                return np.int64(-1)
            part, digits = part * 10 + (c - 48), digits + 1
            if part > 255:
                return np.int64(-1)
        elif c == DOT and digits and dots < 3:
            value, part, digits, dots = value << 8 | part, np.int64(0), np.int64(0), dots + 1
        else:
            return np.int64(-1)
    if dots != 3 or digits == 0:
        return np.int64(-1)
    return value << 8 | part


@kernel
def addresses(data, limits, count, high, low, family):
    """The 128-bit value and family (4, 6, 0 for what is no address) of each text; IPv4 as ::ffff:0:0/96."""
    for k in range(count):
        start, end = np.int64(limits[k]), np.int64(limits[k + 1])
        high[k] = low[k] = U(0)
        family[k] = 0
        n = end - start
        if n < 2 or n > 45:
            continue
        v4 = ipv4_value(data, start, end)
        if v4 >= 0:
            low[k], family[k] = U(0xFFFF00000000) | U(v4), 4
            continue
        # IPv6: at most eight groups of sixteen bits, one "::", perhaps a dotted quad at the end
        groups, gap, at, fits = 0, -1, start, True
        a = b = U(0)  # the groups before and behind are gathered in one 128-bit number, then spread at the gap
        tail_a = tail_b = U(0)
        if data[at] == COLON:
            fits = data[at + 1] == COLON
            gap, at = 0, at + 2
        while fits and at < end:
            value, digits, group_start = U(0), 0, at
            while at < end and digits < 5:
                digit = HEX[data[at]]
                if digit > 15:
                    break
                value, digits, at = value << U(4) | U(digit), digits + 1, at + 1
            if digits == 0 or digits > 4:
                fits = False
                break
            wide = 1
            if at < end and data[at] == DOT:
                quad = ipv4_value(data, group_start, end)
                if quad < 0:
                    fits = False
                    break
                value, wide, at = U(quad), 2, end
            groups += wide
            if groups > 8:
                fits = False
                break
            shift = U(16 * wide)
            if gap < 0:
                a, b = a << shift | b >> (U(64) - shift), b << shift | value
            else:
                tail_a, tail_b = tail_a << shift | tail_b >> (U(64) - shift), tail_b << shift | value
            if at < end:
                if data[at] != COLON:
                    fits = False
                    break
                at += 1
                if at < end and data[at] == COLON:
                    if gap >= 0:
                        fits = False
                        break
                    gap, at = groups, at + 1
                elif at == end:
                    fits = False  # a lone colon at the end
        if not fits or (gap < 0 and groups != 8) or (gap >= 0 and groups > 7):
            continue
        if gap >= 0 and gap > 0:
            left = U(16 * (8 - gap))  # move the groups before the gap to the top, 16 to 112 bits
            if left >= U(64):
                a, b = b << (left - U(64)), U(0)
            else:
                a, b = a << left | b >> (U(64) - left), b << left
        a, b = a | tail_a, b | tail_b
        if a == 0 and b >> U(32) == U(0xFFFF):
            family[k] = 4
        else:
            family[k] = 6
        high[k], low[k] = a, b


@kernel
def mark_quarters(times, first, present):
    """Set ``present[q - first]`` for the quarter of an hour q since 1970 of each time (microseconds)."""
    for row in range(len(times)):
        present[times[row] // 900000000 - first] = 1


@kernel
def local_times(times, first, day, hour, number, days, hours, numbers):
    """Write for each time what its quarter of an hour says: day, hour, and the day's number."""
    for row in range(len(times)):
        quarter = times[row] // 900000000 - first
        days[row], hours[row], numbers[row] = day[quarter], hour[quarter], number[quarter]


@inline
def rotl(x, k):
    return x << U(k) | x >> U(64 - k)


@inline
def sip_round(v0, v1, v2, v3):
    v0 += v1
    v2 += v3
    v1 = rotl(v1, 13) ^ v0
    v3 = rotl(v3, 16) ^ v2
    v0 = rotl(v0, 32)
    v2 += v1
    v0 += v3
    v1 = rotl(v1, 17) ^ v2
    v3 = rotl(v3, 21) ^ v0
    v2 = rotl(v2, 32)
    return v0, v1, v2, v3


@inline
def sip_word(v0, v1, v2, v3, m):
    v3 ^= m
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ m, v1, v2, v3


@inline
def sip_start(k0, k1):
    return (
        k0 ^ U(0x736F6D6570736575),
        k1 ^ U(0x646F72616E646F6D),
        k0 ^ U(0x6C7967656E657261),
        k1 ^ U(0x7465646279746573),
    )


@inline
def sip_end(v0, v1, v2, v3, last):
    v0, v1, v2, v3 = sip_word(v0, v1, v2, v3, last)
    v2 ^= U(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = sip_round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@kernel
def siphash(data, limits, count, k0, k1, out):
    """SipHash-2-4 of each byte string ``data[limits[k]:limits[k + 1]]`` under the 128-bit key (k0, k1)."""
    for k in range(count):
        start, n = np.int64(limits[k]), np.int64(limits[k + 1] - limits[k])
        v0, v1, v2, v3 = sip_start(k0, k1)
        for at in range(start, start + n // 8 * 8, 8):
            m = U(0)
            for j in range(8):
                m |= U(data[at + j]) << U(8 * j)
            v0, v1, v2, v3 = sip_word(v0, v1, v2, v3, m)
        last = U(n & 0xFF) << U(56)
        for j in range(n % 8):
            last |= U(data[start + n // 8 * 8 + j]) << U(8 * j)
        out[k] = sip_end(v0, v1, v2, v3, last)


@inline
def sip4(k0, k1, a, b, c, d):
    """SipHash-2-4 of four words."""
    v0, v1, v2, v3 = sip_start(k0, k1)
    v0, v1, v2, v3 = sip_word(v0, v1, v2, v3, a)
    v0, v1, v2, v3 = sip_word(v0, v1, v2, v3, b)
    v0, v1, v2, v3 = sip_word(v0, v1, v2, v3, c)
    v0, v1, v2, v3 = sip_word(v0, v1, v2, v3, d)
    return sip_end(v0, v1, v2, v3, U(32) << U(56))


@kernel
def tokens(days, keys, address, high, low, family, agent, agents, by_address, visitors, clients):
    """Keyed tokens of each row's visitor and client.

    ``days`` (rows): index into ``keys`` (days, 2). ``address``, ``agent`` (rows): codes into ``high``, ``low``,
    ``family`` and ``agents`` (a digest of each agent). A visitor is the address (left out unless ``by_address``) with
    the agent's digest; a client the IPv4 address, the IPv6 /56, or what stands there instead. The fourth word tells
    these apart. Most rows repeat a recent one: a small direct-mapped memory answers those.
    """
    seen = np.full((MEMO, 3), -1, np.int64)
    known = np.zeros((MEMO, 2), np.uint64)
    for row in range(len(days)):
        day, a, g = np.int64(days[row]), np.int64(address[row]), np.int64(agent[row])
        slot = (a * 31 + g * 17 + day) & (MEMO - 1)
        if seen[slot, 0] != a or seen[slot, 1] != g or seen[slot, 2] != day:
            k0, k1, kind = keys[day, 0], keys[day, 1], U(family[a])
            h, l = high[a], low[a]
            if kind == 6:
                known[slot, 1] = sip4(k0, k1, h & ~U(0xFF), U(0), U(0), U(1) << U(8) | kind)
            else:
                known[slot, 1] = sip4(k0, k1, h, l, U(0), U(1) << U(8) | kind)
            if by_address:
                known[slot, 0] = sip4(k0, k1, h, l, agents[g], U(2) << U(8) | kind)
            else:
                known[slot, 0] = sip4(k0, k1, U(0), U(0), agents[g], U(3) << U(8))
            seen[slot, 0], seen[slot, 1], seen[slot, 2] = a, g, day
        visitors[row], clients[row] = known[slot, 0], known[slot, 1]


@kernel
def universes(agent, bots, status, path, kinds, referrer, origins, domains, host, own, out):
    """`schema.Universe` of each row, by number.

    ``bots`` by agent code; ``kinds`` by path code: 0 page, 1 asset, 2 download; by referrer code: ``origins``
    0 none, 1 a search engine, 2 a social network, 3 a service that answers, and ``domains`` its registrable domain as a
    number, -1 for none; ``own`` by host code likewise.
    """
    for row in range(len(out)):
        s, kind = status[row], kinds[path[row]]
        if bots[agent[row]]:
            out[row] = 0
        elif 400 <= s < 600:
            out[row] = 2
        elif kind == 2:
            out[row] = 3 if s == 200 or s == 206 else 1
        elif kind == 0 and (200 <= s < 300 or s == 304):
            r = referrer[row]
            if origins[r] == 1:
                out[row] = 5
            elif domains[r] >= 0 and domains[r] == own[host[row]]:
                out[row] = 4
            elif origins[r] > 0:
                out[row] = 5 + origins[r]
            else:
                out[row] = 6 if domains[r] >= 0 else 4
        else:
            out[row] = 1

"""Times, tokens and universes: what protection does per row, compiled.

Source: SipHash-2-4 (Aumasson and Bernstein, 2012; verified against published vectors in the tests).
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, kernel, lean_kernel
from logblur.jit.intrinsics import U


@lean_kernel
def mark_quarters(times, first, present):
    """Set ``present[q - first]`` for the quarter of an hour q since 1970 of each time (microseconds)."""
    for row in range(len(times)):
        present[times[row] // 900000000 - first] = 1


@lean_kernel
def local_times(times, first, day, hour, number, days, hours, numbers):
    """Write for each time what its quarter of an hour says: day, hour, and the day's number."""
    for row in range(len(times)):
        quarter = times[row] // 900000000 - first
        days[row], hours[row], numbers[row] = day[quarter], hour[quarter], number[quarter]


@lean_kernel
def mark(codes, used):
    """Set ``used[code]`` for each code that occurs."""
    for row in range(len(codes)):
        used[codes[row]] = True


@kernel
def find_examples(codes, rows):
    """Write for each code the first row that has it."""
    for row in range(len(codes) - 1, -1, -1):
        rows[codes[row]] = row


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


@lean_kernel
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
    """Keyed tokens of the visitor and client of each row.

    ``days`` (rows): index into ``keys`` (days, 2). ``address``, ``agent`` (rows): codes into ``high``, ``low``,
    ``family`` and ``agents`` (a digest of each agent). A visitor is the address (left out unless ``by_address``) with
    the agent's digest; a client the IPv4 address, the IPv6 /56, or what stands there instead. The fourth word tells
    these apart.
    """
    for row in range(len(days)):
        a = np.int64(address[row])
        k0, k1, kind = keys[days[row], 0], keys[days[row], 1], U(family[a])
        h, l = high[a], low[a]
        if kind == 6:
            clients[row] = sip4(k0, k1, h & ~U(0xFF), U(0), U(0), U(1) << U(8) | kind)
        else:
            clients[row] = sip4(k0, k1, h, l, U(0), U(1) << U(8) | kind)
        if by_address:
            visitors[row] = sip4(k0, k1, h, l, agents[agent[row]], U(2) << U(8) | kind)
        else:
            visitors[row] = sip4(k0, k1, U(0), U(0), agents[agent[row]], U(3) << U(8))


@lean_kernel
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

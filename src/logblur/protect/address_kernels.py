"""Texts of addresses to their values, compiled: strict ones, and whatever servers and proxies write.

Sources: RFC 4291 section 2.2 and RFC 5952 (strict, as Python's `ipaddress`); RFC 7239 sections 4 and 6 (Forwarded);
RFC 3056, 4380 and 6052 (IPv6 addresses that carry an IPv4 address). To debug: `spellings` says the same, slowly.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, lean_kernel
from logblur.jit.intrinsics import U

DOT, COLON, COMMA, SEMICOLON, EQUALS, PERCENT, UNDERSCORE, DASH = (np.uint8(c) for c in b".:,;=%_-")
SPACE, TAB, QUOTE, APOSTROPHE, BACKSLASH, OPEN, CLOSE = (np.uint8(c) for c in b" \t\"'\\[]")
HEX = np.array([int(chr(c), 16) if chr(c) in "0123456789abcdefABCDEF" else 255 for c in range(256)], np.uint8)
LONGEST = 45  # characters of an address: eight groups, the last two as a dotted quad


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


@inline
def address_value(data, start, end):
    """Family (4, 6, 0 for what is no address) and the two halves of its value; IPv4 as ::ffff:0:0/96."""
    none = np.int64(0), U(0), U(0)
    if not 2 <= end - start <= LONGEST:
        return none
    v4 = ipv4_value(data, start, end)
    if v4 >= 0:
        return np.int64(4), U(0), U(0xFFFF00000000) | U(v4)
    # IPv6: at most eight groups of sixteen bits, one "::", perhaps a dotted quad at the end
    groups, gap, at = 0, -1, start
    a = b = U(0)  # the groups before and behind are gathered in one 128-bit number, then spread at the gap
    tail_a = tail_b = U(0)
    if data[at] == COLON:
        if data[at + 1] != COLON:
            return none
        gap, at = 0, at + 2
    while at < end:
        value, digits, group_start = U(0), 0, at
        while at < end and digits < 5:
            digit = HEX[data[at]]
            if digit > 15:
                break
            value, digits, at = value << U(4) | U(digit), digits + 1, at + 1
        if digits == 0 or digits > 4:
            return none
        wide = 1
        if at < end and data[at] == DOT:
            quad = ipv4_value(data, group_start, end)
            if quad < 0:
                return none
            value, wide, at = U(quad), 2, end
        groups += wide
        if groups > 8:
            return none
        shift = U(16 * wide)
        if gap < 0:
            a, b = a << shift | b >> (U(64) - shift), b << shift | value
        else:
            tail_a, tail_b = tail_a << shift | tail_b >> (U(64) - shift), tail_b << shift | value
        if at < end:
            if data[at] != COLON:
                return none
            at += 1
            if at < end and data[at] == COLON:
                if gap >= 0:
                    return none
                gap, at = groups, at + 1
            elif at == end:
                return none  # a lone colon at the end
    if (gap < 0 and groups != 8) or (gap >= 0 and groups > 7):
        return none
    if gap > 0:
        left = U(16 * (8 - gap))  # move the groups before the gap to the top, 16 to 112 bits
        if left >= U(64):
            a, b = b << (left - U(64)), U(0)
        else:
            a, b = a << left | b >> (U(64) - left), b << left
    a, b = a | tail_a, b | tail_b
    return np.int64(4 if a == 0 and b >> U(32) == U(0xFFFF) else 6), a, b


@lean_kernel
def addresses(data, limits, count, high, low, family):
    """The value and family of each text, strictly."""
    for k in range(count):
        family[k], high[k], low[k] = address_value(data, np.int64(limits[k]), np.int64(limits[k + 1]))


@inline
def is_port(data, at, end):
    """Whether nothing or a port is left: digits, or the name that RFC 7239 section 6.3 lets a proxy give instead."""
    if at >= end:
        return True
    if data[at] != COLON or at + 1 == end:
        return False
    named = data[at + 1] == UNDERSCORE
    for k in range(at + 1, end):
        c = data[k]
        letter = 97 <= (c | 32) <= 122 or c == DOT or c == UNDERSCORE or c == DASH
        if not (48 <= c <= 57 or (named and letter)):
            return False
    return named or end - at <= 6


@inline
def spelled_value(data, start, end):
    """As `address_value`, of an address in any spelling; one that carries an IPv4 address is that address."""
    none = np.int64(0), U(0), U(0)
    while start < end and (
        data[start] <= SPACE or data[start] == QUOTE or data[start] == APOSTROPHE or data[start] == BACKSLASH
    ):
        start += 1
    while end > start and (
        data[end - 1] <= SPACE or data[end - 1] == QUOTE or data[end - 1] == APOSTROPHE or data[end - 1] == BACKSLASH
    ):
        end -= 1
    bracketed = start < end and data[start] == OPEN
    if bracketed:
        start += 1
        close = start
        while close < end and data[close] != CLOSE:
            close += 1
        if close == end or not is_port(data, close + 1, end):
            return none
        end = close
    family, high, low = none
    for _ in range(2):  # as it stands, then without what may be a port
        zone = start
        while zone < end and data[zone] != PERCENT:
            zone += 1
        family, high, low = address_value(data, start, zone)
        if family == 4 and zone < end:
            return none
        colon = end - 1
        while colon > start and data[colon] != COLON:
            colon -= 1
        if family or bracketed or colon <= start or not is_port(data, colon, end):
            break
        end = colon
    if family == 6:
        if high >> U(48) == U(0x2002):  # 6to4
            family, high, low = np.int64(4), U(0), U(0xFFFF) << U(32) | high >> U(16) & U(0xFFFFFFFF)
        elif high >> U(32) == U(0x20010000):  # Teredo: the client's address, inverted
            family, high, low = np.int64(4), U(0), U(0xFFFF) << U(32) | ~low & U(0xFFFFFFFF)
        elif high == U(0x0064FF9B00000000) and low >> U(32) == 0:  # NAT64
            family, high, low = np.int64(4), U(0), U(0xFFFF) << U(32) | low
    return family, high, low


@inline
def node(data, start, end):
    """Where the address of one hop stands: all of it, or the ``for`` of an element of Forwarded; empty without one."""
    pairs, at = False, start
    while at < end:
        while at < end and data[at] <= SPACE:
            at += 1
        name = at
        while name < end and data[name] != EQUALS and data[name] != SEMICOLON:
            name += 1
        stop, quoted = name, False
        while stop < end and (quoted or data[stop] != SEMICOLON):
            quoted ^= data[stop] == QUOTE
            stop += 1
        if name < end and data[name] == EQUALS:
            pairs = True
            if name - at == 3 and data[at] | 32 == 102 and data[at + 1] | 32 == 111 and data[at + 2] | 32 == 114:
                return name + 1, stop
        at = stop + 1
    return (start, start) if pairs else (start, end)


@lean_kernel
def clients(data, starts, ends, networks, high, low, family, passed):
    """The value and family of the client that each list of hops names, and whether every hop is a trusted proxy.

    ``networks`` (n, 4): the halves of each trusted network's address, then of its mask. A list is read from the right:
    only what a trusted proxy appended is believed, so the first hop that is no trusted one is the client. Behind a hop
    that is no address nothing is believed: the last proxy before it stands for the client.
    """
    for k in range(len(starts)):
        start, stop = starts[k], ends[k]
        high[k] = low[k] = U(0)
        family[k], passed[k] = 0, False
        v4 = ipv4_value(data, start, stop) if stop - start <= 15 else np.int64(-1)
        if v4 >= 0 and len(networks) == 0:  # what nearly all logs hold
            family[k], low[k] = 4, U(0xFFFF00000000) | U(v4)
            continue
        quotes = 0
        for at in range(start, stop):
            quotes += data[at] == QUOTE
        if quotes == 2 and data[start] == QUOTE and data[stop - 1] == QUOTE:
            start, stop = start + 1, stop - 1
        while stop > start:
            at, quoted, blank = stop, False, True
            while at > start and (quoted or data[at - 1] != COMMA):
                at -= 1
                quoted ^= data[at] == QUOTE
                blank &= data[at] <= SPACE
            first, last = node(data, at, stop)
            stop = at - 1
            if blank:
                continue
            found, h, l = spelled_value(data, first, last)
            passed[k] = False
            if found == 0:
                break
            family[k], high[k], low[k] = found, h, l
            for n in range(len(networks)):
                passed[k] |= h & networks[n, 2] == networks[n, 0] and l & networks[n, 3] == networks[n, 1]
            if not passed[k]:
                break

"""The parts of request lines, URLs, addresses with ports, and referrers, as spans. What they mean: `reference`."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, lean_kernel
from logblur.jit.intrinsics import WIDE, U, first_bit, match_mask, word
from logblur.parse.scan_kernels import (
    COLON,
    DASH,
    DOT,
    LEFT_BRACKET,
    NUMBER_SIGN,
    PLUS,
    QUESTION,
    RIGHT_BRACKET,
    SLASH,
    SPACE,
    UNDERSCORE,
    find,
    find_either,
    is_digit,
    is_letter,
)

HTTP, HTTP_VERSION = (U(int.from_bytes(x, "little")) for x in (b"HTTP/", b"HTTP/0.0"))
HTTP_URL, HTTPS_URL = (U(int.from_bytes(x, "little")) for x in (b"http://", b"https://"))
SCHEME_END = U(int.from_bytes(b"://", "little"))
METHOD, PATH, QUERY, PROTOCOL, HOST = range(0, 10, 2)
"""Rows of the parts of a request or a URL: where each starts, and behind it where it ends."""


@inline
def scheme_end(buffer, start, end):
    """Where the authority starts behind ``scheme://`` (RFC 3986, section 3.1), or ``start`` where there is none."""
    if start >= end or not is_letter(buffer[start]):
        return start
    at = start + 1
    while at < end:
        c = buffer[at]
        if not (is_letter(c) or is_digit(c) or c == PLUS or c == DASH or c == DOT):
            break
        at += 1
    if at + 3 <= end and word(buffer, at) & U(0xFFFFFF) == SCHEME_END:
        return at + 3
    return start


@inline
def authority_end(buffer, start, end):
    at = start
    while at < end:
        mask = match_mask(buffer, at, SLASH, QUESTION) | match_mask(buffer, at, NUMBER_SIGN, NUMBER_SIGN)
        if mask:
            return min(at + first_bit(mask), end)
        at += WIDE
    return end


@inline
def path_into(buffer, start, end, parts, row):
    """Spans of path and query of ``path?query#fragment``; the query's is empty where there is none."""
    path_end = find_either(buffer, start, QUESTION, NUMBER_SIGN, end)
    parts[PATH, row], parts[PATH + 1, row] = start, path_end
    if path_end < end and buffer[path_end] == QUESTION:
        parts[QUERY, row], parts[QUERY + 1, row] = path_end + 1, find(buffer, path_end + 1, NUMBER_SIGN, end)


@inline
def url_into(buffer, start, end, parts, row):
    """Spans of path, query and host of ``/path?query``, or of a URL with scheme and host."""
    authority = scheme_end(buffer, start, end)
    if authority == start:
        path_into(buffer, start, end, parts, row)
        return
    after = authority_end(buffer, authority, end)
    parts[HOST, row], parts[HOST + 1, row] = authority, after
    path_into(buffer, after, end, parts, row)
    if after == end or buffer[after] != SLASH:  # an empty path is "/": the second slash of "://" stands for it
        parts[PATH, row], parts[PATH + 1, row] = authority - 1, authority


@inline
def capitals(text):
    """How many capital letters stand before the first space of eight bytes; 0 where anything else does, or no space."""
    space = text ^ U(0x2020202020202020)
    space = (space - U(0x0101010101010101)) & ~space & U(0x8080808080808080)
    before = ((space & (~space + U(1))) - U(1)) & U(0x8080808080808080)
    low = text & U(0x7F7F7F7F7F7F7F7F)
    capital = (low + U(0x3F3F3F3F3F3F3F3F)) & ~(low + U(0x2525252525252525)) & ~text
    return first_bit(space) >> 3 if space and capital & before == before else 0


@inline
def request_into(buffer, start, end, parts, row):
    """Spans of the parts of a request line, by their definition."""
    space = find(buffer, start, SPACE, end)
    fits = start < space < end and space - start <= 32 and is_letter(buffer[start])
    for k in range(start + 1, space if fits else start):
        c = buffer[k]
        fits = fits and (is_letter(c) or is_digit(c) or c == DASH or c == UNDERSCORE)
    if not fits:
        return
    target, protocol = end, end
    back = end
    while back > space and end - back <= 13 and buffer[back - 1] != SPACE:
        back -= 1
    if (
        buffer[back - 1] == SPACE
        and back > space
        and 6 <= end - back <= 13
        and word(buffer, back) & U(0xFFFFFFFFFF) == HTTP
    ):
        versioned = True
        for k in range(back + 5, end):
            versioned = versioned and (is_digit(buffer[k]) or buffer[k] == DOT)
        if versioned:
            target, protocol = back - 1, back
    if protocol == end and not (
        space - start == 3 and buffer[start] == 71 and buffer[start + 1] == 69 and buffer[start + 2] == 84
    ):
        return  # without a version only GET
    if target <= space + 1:
        return
    parts[METHOD, row], parts[METHOD + 1, row] = start, space
    parts[PROTOCOL, row], parts[PROTOCOL + 1, row] = protocol, end
    url_into(buffer, space + 1, target, parts, row)


@lean_kernel
def request_parts(buffer, starts, ends, rows, parts):
    """Spans of method, path, query, protocol and host, uint32 (10, rows): start and end of each; empty if not HTTP."""
    for row in range(rows):
        start, end = np.int64(starts[row]), np.int64(ends[row])
        for k in range(10):
            parts[k, row] = start
        path = start + capitals(word(buffer, start)) + 1
        if path > start + 1 and path + 9 < end and buffer[path] == SLASH and buffer[end - 9] == SPACE:
            version = word(buffer, end - 8) ^ HTTP_VERSION  # as nearly all are: METHOD /path HTTP/1.1
            if version & U(0x00FF00FFFFFFFFFF) == 0 and version >> U(40) & U(0xFF) < 10 and version >> U(56) < 10:
                parts[METHOD + 1, row] = path - 1
                parts[PROTOCOL, row], parts[PROTOCOL + 1, row] = end - 8, end
                path_into(buffer, path, end - 9, parts, row)
                continue
        request_into(buffer, start, end, parts, row)


@lean_kernel
def url_parts(buffer, starts, ends, rows, parts):
    """Spans as those of `request_parts`, of a URL or a target alone; empty for ``-``."""
    for row in range(rows):
        start, end = np.int64(starts[row]), np.int64(ends[row])
        for k in range(10):
            parts[k, row] = start
        if end > start and not (end == start + 1 and buffer[start] == DASH):
            url_into(buffer, start, end, parts, row)


@lean_kernel
def addresses(buffer, starts, ends, rows, always, spans):
    """Spans, uint32 (2, rows), of addresses without brackets and without the port, if one stands there (or always)."""
    for row in range(rows):
        start, end = np.int64(starts[row]), np.int64(ends[row])
        colons, last, digits = 0, end, True
        for k in range(start, end):
            c = buffer[k]
            if c == COLON:
                colons, last, digits = colons + 1, k, True
            else:
                digits = digits and is_digit(c)
        bracketed = start < end and buffer[start] == LEFT_BRACKET
        if bracketed and buffer[end - 1] == RIGHT_BRACKET:
            start, end = start + 1, end - 1
        elif digits and last < end and bracketed and buffer[last - 1] == RIGHT_BRACKET:
            start, end = start + 1, last - 1
        elif digits and last < end and (colons == 1 or always):
            end = last
        spans[0, row], spans[1, row] = start, end


@lean_kernel
def referrer_hosts(buffer, starts, ends, rows, hosts):
    """Spans of the authority of absolute URLs, uint32 (2, rows); empty where there is none."""
    for row in range(rows):
        start, end = np.int64(starts[row]), np.int64(ends[row])
        first = word(buffer, start)
        if first == HTTPS_URL and end - start >= 8:
            host = start + 8
        elif first << U(8) == HTTP_URL << U(8) and end - start >= 7:
            host = start + 7
        else:
            host = scheme_end(buffer, start, end)
        if host == start:
            hosts[0, row] = hosts[1, row] = start
        else:
            hosts[0, row], hosts[1, row] = host, authority_end(buffer, host, end)

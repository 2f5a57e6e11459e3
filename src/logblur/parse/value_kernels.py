"""Times, numbers, statuses, sizes and durations of spans; each may refuse its line. What they mean: `reference`."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import brief_kernel, inline, lean_kernel
from logblur.jit.intrinsics import U, same_bytes, word
from logblur.parse.scan_kernels import (
    BAD_BYTES,
    BAD_DURATION,
    BAD_STATUS,
    BAD_TIME,
    COLON,
    COMMA,
    DASH,
    DOT,
    FUTURE,
    LETTER_Z,
    NEWLINE,
    PLUS,
    SLASH,
    SPACE,
    is_digit,
    is_letter,
)

LETTER_E, LETTER_M, LETTER_N, LETTER_S, LETTER_U = (np.uint8(c) for c in b"emnsu")
NO_TIME = -(1 << 62)
MONTHS = np.array([int.from_bytes(m, "little") for m in b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()])


@inline
def number(buffer, at, n):
    """Value of n digits (1 to 8), or -1."""
    t = word(buffer, at)
    if n < 8:
        t = t << U(64 - 8 * n) | U(0x3030303030303030) >> U(8 * n)
    t ^= U(0x3030303030303030)
    if ((t + U(0x7676767676767676)) | t) & U(0x8080808080808080):
        return np.int64(-1)
    t = (t * U(10) + (t >> U(8))) & U(0x00FF00FF00FF00FF)
    t = (t * U(100) + (t >> U(16))) & U(0x0000FFFF0000FFFF)
    return np.int64((t * U(10000) + (t >> U(32))) & U(0xFFFFFFFF))


@inline
def days_of(year, month, day):
    """Days since 1970 of a date, or `NO_TIME`. Source: howardhinnant.github.io/date_algorithms.html."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = 28 + leap if month == 2 else 30 + (month + month // 8) % 2
    if not (1970 <= year <= 9998 and 1 <= month <= 12 and 1 <= day <= length):
        return np.int64(NO_TIME)
    y = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return np.int64(y // 400 * 146097 + y % 400 * 365 + y % 400 // 4 - y % 400 // 100 + of_year - 719468)


@inline
def month_of(buffer, at):
    name, month = np.int64(word(buffer, at) & U(0xFFFFFF)), 0
    for k in range(12):
        if MONTHS[k] == name:
            month = k + 1
    return month


@inline
def minute_of(buffer, at):
    """Minutes since 1970, UTC, of ``dd/Mon/yyyy:hh:mm:ss +zzzz`` without its seconds, or a value below -1e15."""
    bad = np.int64(-(1 << 60))
    day, year = number(buffer, at, 2), number(buffer, at + 7, 4)
    hour, minute = number(buffer, at + 12, 2), number(buffer, at + 15, 2)
    zone_hour, zone_minute = number(buffer, at + 22, 2), number(buffer, at + 24, 2)
    days = days_of(year, month_of(buffer, at + 3), day)
    if days < 0 or not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= zone_hour < 24 and 0 <= zone_minute < 60):
        return bad
    if buffer[at + 2] != SLASH or buffer[at + 6] != SLASH or buffer[at + 11] != COLON or buffer[at + 14] != COLON:
        return bad
    sign = buffer[at + 21]
    if buffer[at + 17] != COLON or buffer[at + 20] != SPACE or not (sign == PLUS or sign == DASH):
        return bad
    shift = zone_hour * 60 + zone_minute
    return (days * 24 + hour) * 60 + minute - (shift if sign == PLUS else -shift)


@lean_kernel
def add_clf_times(buffer, starts, ends, rows, times, reasons):
    """Add the microseconds of Common Log Format times. The last minute seen is remembered."""
    last_a = last_b = last_c = U(0)
    minute = np.int64(-(1 << 60))
    for row in range(rows):
        if reasons[row]:
            continue
        at = np.int64(starts[row])
        second = np.int64(-1)
        if np.int64(ends[row]) - at == 26:
            a, b = word(buffer, at), word(buffer, at + 8)
            c = word(buffer, at + 18) >> U(16) | U(buffer[at + 17]) << U(56) | U(buffer[at + 16]) << U(48)
            if a != last_a or b != last_b or c != last_c:
                last_a, last_b, last_c = a, b, c
                minute = minute_of(buffer, at)
            second = number(buffer, at + 18, 2)
        if second < 0 or second > 60 or minute < -(1 << 50):
            reasons[row] = BAD_TIME
        else:
            times[row] += (minute * 60 + second) * 1000000


@brief_kernel
def check_times(times, latest, reasons):
    """Refuse times before 1970 and times to come."""
    for row in range(len(times)):
        if reasons[row] == 0:
            if times[row] < 0:
                reasons[row] = BAD_TIME
            elif times[row] > latest:
                reasons[row] = FUTURE


@lean_kernel
def time_of(buffer, at, end, program):
    """Microseconds that a time of a layout stands for (`formats.times`), or `NO_TIME`."""
    bad = np.int64(NO_TIME)
    year, month, day, clock, fraction, zone = 1970, 1, 1, 0, 0, 0
    for token in program:
        c = buffer[at] if at < end else NEWLINE
        if token >= 256:
            if c != token - 256:
                return bad
            at += 1
        elif token <= 1:  # Y y
            n = 4 if token == 0 else 2
            year = number(buffer, at, n) if at + n <= end else np.int64(-1)
            if year < 0:
                return bad
            if token == 1:
                year += 1900 if year >= 69 else 2000
            at += n
        elif token <= 6:  # m d H M S
            n = 2 if c == SPACE or (at + 1 < end and is_digit(buffer[at + 1])) else 1
            value = number(buffer, at + 1, 1) if c == SPACE else number(buffer, at, n)
            if value < 0 or at + n > end:
                return bad
            at += n
            if token == 2:
                month = value
            elif token == 3:
                day = value
            elif value > (23 if token == 4 else 59 if token == 5 else 60):
                return bad
            else:
                clock += value * (3600 if token == 4 else 60 if token == 5 else 1)
        elif token == 7:  # b
            month = month_of(buffer, at)
            if at + 3 > end or month == 0:
                return bad
            at += 3
        elif token == 8:  # a
            if not is_letter(c):
                return bad
            while at < end and is_letter(buffer[at]):
                at += 1
        elif token == 9:  # f
            if c == DOT or c == COMMA:
                at, scale = at + 1, 100000
                if at >= end or not is_digit(buffer[at]):
                    return bad
                while at < end and is_digit(buffer[at]):
                    fraction += np.int64(buffer[at] - 48) * scale
                    scale //= 10
                    at += 1
        elif c == LETTER_Z:  # z
            at += 1
        else:
            hours = number(buffer, at + 1, 2) if at + 3 <= end else np.int64(-1)
            if not (c == PLUS or c == DASH) or not 0 <= hours < 24:
                return bad
            minutes, at = np.int64(0), at + 3
            if at < end and buffer[at] == COLON:
                at += 1
            if at + 2 <= end and is_digit(buffer[at]):
                minutes = number(buffer, at, 2)
                at += 2
            if not 0 <= minutes < 60:
                return bad
            zone = (hours * 60 + minutes) * (60 if c == PLUS else -60)
    days = days_of(year, month, day)
    if at != end or days < 0:
        return bad
    return (days * 86400 + clock - zone) * 1000000 + fraction


@lean_kernel
def add_times(buffer, starts, ends, rows, program, split, width, times, reasons):
    """Add the microseconds of times of a layout.

    The layout's first ``split`` tokens, where they are ``width`` bytes, tell all but the second, its fraction and the
    zone: the last value of these bytes is remembered, so that a log's lines of one minute are read by their ends.
    """
    head, tail = program[:split], program[split:]
    last_at, minute = np.int64(-1), np.int64(0)
    for row in range(rows):
        if reasons[row]:
            continue
        at, end = np.int64(starts[row]), np.int64(ends[row])
        if 0 < width <= end - at:
            if last_at < 0 or not same_bytes(buffer, at, buffer, last_at, width):
                last_at, minute = at, time_of(buffer, at, at + width, head)
            time = minute
            if minute != NO_TIME and (len(tail) or end > at + width):
                time = time_of(buffer, at + width, end, tail)
                time += minute if time != NO_TIME else 0
        else:
            time = np.int64(NO_TIME)
        if time == NO_TIME:  # perhaps of another width
            time = time_of(buffer, at, end, program)
        if time == NO_TIME:
            reasons[row] = BAD_TIME
        else:
            times[row] += time


@inline
def decimal(buffer, at, end, power):
    """A decimal number times ten to the power, cut off; -1 for none and a negative one, -2 for what is no number."""
    none, bad = np.int64(-1), np.int64(-2)
    if at == end or (at + 1 == end and buffer[at] == DASH):
        return none
    negative = buffer[at] == DASH
    if negative or buffer[at] == PLUS:
        at += 1
    value, digits, point, left = np.int64(0), 0, False, power
    for k in range(at, end):
        c = buffer[k]
        if c == DOT and digits and not point:
            point = True
        elif is_digit(c):
            digits += 1
            if not point or left > 0:
                if value > 900000000000000000:
                    return bad
                value = value * 10 + np.int64(c - 48)
                left -= point
        else:
            return bad
    if digits == 0:
        return bad
    while left > 0 and value <= 900000000000000000:
        value, left = value * 10, left - 1
    if left > 0:
        return bad
    while left < 0:
        value, left = value // 10, left + 1
    return none if negative else value


@lean_kernel
def add_numbers(buffer, starts, ends, rows, power, times, reasons):
    """Add numbers of a unit of time, in microseconds."""
    for row in range(rows):
        if reasons[row]:
            continue
        value = decimal(buffer, np.int64(starts[row]), np.int64(ends[row]), power)
        if value < 0:
            reasons[row] = BAD_TIME
        else:
            times[row] += min(value, np.int64(1 << 61))


@inline
def without_unit(buffer, at, end, power):
    """Where a number with a unit behind it (s, ms, us, ns) ends, and the power; what was given where it has none."""
    stop, scale = end - 1, np.int64(6)
    c = buffer[end - 2] if end - at > 1 else SPACE
    if c == LETTER_M or c == LETTER_U or c == LETTER_N:
        stop, scale = end - 2, np.int64(3 if c == LETTER_M else 0 if c == LETTER_U else -3)
    elif end - at > 3 and ((buffer[end - 3] == 0xC2 and c == 0xB5) or (buffer[end - 3] == 0xCE and c == 0xBC)):
        stop, scale = end - 3, np.int64(0)  # the two letters that look like u
    numeric = stop > at and (is_digit(buffer[stop - 1]) or buffer[stop - 1] == DOT)
    return (stop, scale) if numeric and buffer[end - 1] == LETTER_S else (end, power)


@inline
def without_exponent(buffer, at, end, power):
    """Where a number with an exponent of one or two digits at ``at`` ends, and the power; what was given for junk."""
    k = at + 1
    negative = k < end and buffer[k] == DASH
    if k < end and (negative or buffer[k] == PLUS):
        k += 1
    exponent = number(buffer, k, end - k) if 1 <= end - k <= 2 else np.int64(-1)
    if exponent < 0 or not (is_digit(buffer[at - 1]) or buffer[at - 1] == DOT):
        return end, power
    return at, power - exponent if negative else power + exponent


@brief_kernel
def durations(buffer, starts, ends, rows, power, values, reasons):
    """Microseconds; -1 for none and for a negative one."""
    for row in range(rows):
        at, end, scale = np.int64(starts[row]), np.int64(ends[row]), np.int64(power)
        if at < end and not is_digit(buffer[end - 1]):
            end, scale = without_unit(buffer, at, end, scale)
        exponent = at + 1
        while exponent < end and buffer[exponent] | 32 != LETTER_E:
            exponent += 1
        if exponent < end:
            end, scale = without_exponent(buffer, exponent, end, scale)
        value = decimal(buffer, at, end, scale)
        if value < -1:
            value = np.int64(-1)
            if reasons[row] == 0:
                reasons[row] = BAD_DURATION
        values[row] = value


@brief_kernel
def statuses(buffer, starts, ends, rows, values, reasons):
    """Three digits, 100 to 999; 0 for none: nothing, ``-``, ``0``, ``000``, ``-1``."""
    for row in range(rows):
        at = np.int64(starts[row])
        n = np.int64(ends[row]) - at
        value = number(buffer, at, 3)
        if n != 3 or value < 100:
            none = n == 0 or (n == 1 and (buffer[at] == DASH or buffer[at] == 48)) or (n == 3 and value == 0)
            none |= n == 2 and buffer[at] == DASH and buffer[at + 1] == 49
            value = np.int64(0)
            if not none and reasons[row] == 0:
                reasons[row] = BAD_STATUS
        values[row] = value


@brief_kernel
def sizes(buffer, starts, ends, rows, values, reasons):
    """Up to 13 digits, a plus before them or none; -1 for nothing, ``-`` and ``-1``."""
    for row in range(rows):
        at = np.int64(starts[row])
        n = np.int64(ends[row]) - at
        high = low = np.int64(0)
        if n == 0 or (buffer[at] == DASH and (n == 1 or (n == 2 and buffer[at + 1] == 49))):
            values[row] = -1
            continue
        if n > 1 and buffer[at] == PLUS:
            at, n = at + 1, n - 1
        if 8 < n <= 13:
            high, low = number(buffer, at, n - 8), number(buffer, at + n - 8, 8)
        elif n <= 8:
            low = number(buffer, at, n)
        else:
            low = np.int64(-1)
        if high < 0 or low < 0:
            high = low = np.int64(0)
            if reasons[row] == 0:
                reasons[row] = BAD_BYTES
        values[row] = high * 100000000 + low

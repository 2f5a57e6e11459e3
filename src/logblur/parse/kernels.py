"""The hot core: lines, then spans, then values, then codes; one pass a field, over blocks of whole lines.

BE ADVISED. `find_fields` interprets the token program with 64-byte compares. Three things make it fast, and must be
kept when it changes: (1) it goes field by field over some hundred lines, so that what it knows of the field stays in
registers and the scan of one line does not wait for that of the line before; (2) nothing that depends on the data
steers a position but the compare's own result; what is rare (escapes, short lines, refused ones) is `hard_field`'s;
(3) spans are written field by field, so that each later kernel walks two arrays in order. Loads of `match_mask`,
`differ_mask` and `word` are unchecked: blocks and arenas are padded by `schema.PAD`. Everything else is bounds-checked.

To debug: run `reference.parse` on the same block; the two agree on rows, values, reasons and offsets. What each value
means is defined there and not repeated here. Reasons are `schema.Reason` by number.

Cost: measured in docs/performance.md.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import inline, lean_kernel
from logblur.jit.intrinsics import WIDE, U, first_bit, hash_span, match_mask, prefetch, same_bytes, word

NEWLINE, SPACE, QUOTE, BACKSLASH, TAB, CR, NUMBER_SIGN, DASH = (np.uint8(c) for c in b'\n "\\\t\r#-')
SLASH, COLON, QUESTION, DOT, UNDERSCORE, PLUS, COMMA, LETTER_Z = (np.uint8(c) for c in b"/:?._+,Z")
LEFT_BRACKET, RIGHT_BRACKET = np.uint8(0x5B), np.uint8(0x5D)
LETTER_E, LETTER_M, LETTER_N, LETTER_S, LETTER_U = (np.uint8(c) for c in b"emnsu")
TOO_LONG, TOO_FEW, UNCLOSED, TRAILING, BAD_TIME, FUTURE, BAD_STATUS, BAD_BYTES, BAD_DURATION = range(1, 10)
DIRECTIVE, SHORT = 254, 255
"""Not reasons, but what stands in their place: a line that is no request; one that ended before its last field."""
BACKSLASH_GUARDS, CLOSED, MAY_BE_QUOTED, PADDED, LISTED, MAY_END, HARD = 1, 2, 4, 8, 16, 32, 64
LITERAL, LENGTH, STOP, MODE, LEAD = range(5)
"""Columns of the token program, see `find_fields`."""
BATCH = 128
"""Lines whose fields are found together: they and their spans stay in the nearest caches."""
AHEAD, FEW = 16, 1024
"""Rows whose text is asked for ahead; distinct texts that stay in the nearest caches by themselves."""
NO_TIME = -(1 << 62)
BOM = np.frombuffer(b"\xef\xbb\xbf", np.uint8)
MONTHS = np.array([int.from_bytes(m, "little") for m in b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()])
HTTP, HTTP_VERSION = (U(int.from_bytes(x, "little")) for x in (b"HTTP/", b"HTTP/0.0"))
HTTP_URL, HTTPS_URL = (U(int.from_bytes(x, "little")) for x in (b"http://", b"https://"))
SCHEME_END = U(int.from_bytes(b"://", "little"))
METHOD, PATH, QUERY, PROTOCOL, HOST = range(0, 10, 2)
"""Rows of the parts of a request or a URL: where each starts, and behind it where it ends."""


@inline
def find_either(buffer, position, a, b, end):
    """Position of the next a or b at or after ``position``; ``end`` where there is none before it."""
    while position < end:
        mask = match_mask(buffer, position, a, b)
        if mask:
            return min(position + first_bit(mask), end)
        position += WIDE
    return end


@inline
def find(buffer, position, wanted, end):
    return find_either(buffer, position, wanted, wanted, end)


@inline
def literal_at(buffer, position, pool, start, length):
    """Whether the literal ``pool[start:start + length]`` stands here."""
    for k in range(length):
        if buffer[position + k] != pool[start + k]:
            return False
    return True


@inline
def is_blank(c):
    return c == SPACE or c == TAB or c == CR


@inline
def behind_blanks(buffer, at):
    while is_blank(buffer[at]):
        at += 1
    return at


@inline
def without_blanks(buffer, start, end):
    """Where the text ends without the blanks behind it."""
    while end > start and is_blank(buffer[end - 1]):
        end -= 1
    return end


@inline
def line_begin(buffer, at):
    """Where a line begins behind a byte order mark, and behind NULs: the hole that a log cut in place leaves."""
    if buffer[at] == BOM[0] and buffer[at + 1] == BOM[1] and buffer[at + 2] == BOM[2]:
        at += 3
    while buffer[at] == 0:
        at += 1
    return at


@lean_kernel
def find_lines(buffer, size, most, max_line, lines, at, line_ends, reasons):
    """Where lines start and end that are neither blank nor comments, and where their first byte is that is no blank.

    Writes uint32 ``lines``, ``line_ends``, ``at`` and uint8 ``reasons`` (`TOO_LONG` or 0); there is room for `WIDE`
    more line ends than bytes. What is too long has nothing to be read: ``at`` is its end. Stops soon behind the line
    that is number ``most``. Returns lines, directives, and where the last of them ends.
    """
    count = position = 0
    while position < size and count < most:
        mask = match_mask(buffer, position, NEWLINE, NEWLINE)
        line_ends[np.uint32(count)] = position + first_bit(mask)  # most often none or one, and no branch tells which
        count += mask != U(0)
        mask &= mask - U(1)
        while mask:
            line_ends[np.uint32(count)] = position + first_bit(mask)
            count += 1
            mask &= mask - U(1)
        position += WIDE
    while count > 0 and line_ends[count - 1] >= size:  # newlines of the padding
        count -= 1
    row, line = 0, np.int64(0)
    for k in range(count):
        end = np.int64(line_ends[k])
        first, begin, too_long = buffer[line], line, end - line > max_line
        directive = False
        if first <= SPACE or first == NUMBER_SIGN or first == BOM[0]:  # rare: nothing, a comment, or blanks before
            begin = line_begin(buffer, line)
            first, too_long = buffer[begin], end - begin > max_line
            begin = behind_blanks(buffer, begin)
            directive = not too_long and (begin == end or first == NUMBER_SIGN)
        lines[row], line_ends[row], at[row] = line, end, end if too_long else begin
        reasons[row] = TOO_LONG if too_long else 0
        row += not directive
        line = end + 1
    return row, count - row, line


@lean_kernel
def ends_of(buffer, begins, size, ends):
    """Where the lines end that begin there, behind their newlines."""
    for k in range(len(begins)):
        ends[k] = find(buffer, begins[k], NEWLINE, size) + 1


@lean_kernel
def has_directives(buffer, size):
    """Whether any of the lines begins with a number sign."""
    for position in range(0, size, WIDE):
        mask = match_mask(buffer, position, NUMBER_SIGN, NUMBER_SIGN)
        while mask:
            at = position + first_bit(mask)
            if at == 0 or buffer[at - 1] == NEWLINE:
                return True
            mask &= mask - U(1)
    return False


@inline
def closing_quote(buffer, at, end):
    """Where the quote stands that is not doubled; ``end`` if there is none."""
    at = find(buffer, at, QUOTE, end)
    while at < end and buffer[at + 1] == QUOTE:
        at = find(buffer, at + 2, QUOTE, end)
    return at


@inline
def within_list(buffer, at, start):
    """Whether the space here stands between two items of a list: behind a comma, or around a lone colon."""
    if at > start and buffer[at - 1] == COMMA:
        return True
    if buffer[at + 1] == COLON and buffer[at + 2] == SPACE:
        return True
    return at > start + 1 and buffer[at - 1] == COLON and buffer[at - 2] == SPACE


@lean_kernel
def hard_field(buffer, start, end, pool, literal, length, stop, mode, lead):
    """A field by its definition: where it starts and ends, where the next one starts, and 0, `SHORT` or a reason."""
    guarded = mode & BACKSLASH_GUARDS != 0
    if mode & MAY_BE_QUOTED and buffer[start] == QUOTE:
        close = closing_quote(buffer, start + 1, end)
        if close < end:
            behind = literal_at(buffer, close + 1, pool, literal, length)
            if length and behind:
                return start + 1, close, close + 1 + length, 0
            if (length == 0 or mode & MAY_END) and behind_blanks(buffer, close + 1) == end:
                return start + 1, close, end, SHORT
    if length == 0:  # the last field, to the end of the line
        return start, without_blanks(buffer, start, end), end, 0
    at = find(buffer, min(start + lead, end), stop, end)
    while at < end:
        escaped = False
        if guarded:
            back = at
            while back > start and buffer[back - 1] == BACKSLASH:
                back -= 1
            escaped = (at - back) % 2 == 1
        elif mode & LISTED:
            escaped = within_list(buffer, at, start)
        if not escaped:
            if literal_at(buffer, at, pool, literal, length):
                return start, at, at + length, 0
            if mode & MAY_END and mode & CLOSED and behind_blanks(buffer, at + 1) == end:
                return start, at, end, SHORT
        at = find(buffer, at + 1, stop, end)
    if mode & MAY_END and not guarded:
        return start, without_blanks(buffer, start, end), end, SHORT
    return end, end, end, UNCLOSED if guarded else TOO_FEW


@lean_kernel
def find_field(
    buffer, pool, literal, length, stop, mode, lead, head, mask, line_ends, reasons, starts, ends, behind
):  # fmt: skip
    """Ends of one field of some lines, and where it starts behind it: a short way for what is plain.

    Where a backslash may guard a quote, ``head`` is the byte before the literal, which must be none, and the literal.
    """
    guarded = 1 if mode & BACKSLASH_GUARDS else 0
    doubled, padded, hard, odd = mode & MAY_BE_QUOTED, mode & PADDED, mode & HARD, U(BACKSLASH if guarded else NEWLINE)
    for row in range(len(starts)):
        start, end = np.int64(starts[row]), np.int64(line_ends[row])
        if padded and buffer[start] == SPACE:
            while buffer[start] == SPACE:
                start += 1
            starts[row] = start
        close = end if hard else start
        while close < end:
            hits = match_mask(buffer, close, stop, stop)
            close += first_bit(hits)
            if hits:
                break
        text = word(buffer, min(close, end) - guarded)  # a look that finds nothing ends behind the padding
        plain = close < end and text & mask == head and text & U(0xFF) != odd
        if plain and not (doubled and buffer[start] == QUOTE):
            ends[row], behind[row] = close, close + length
        elif reasons[row]:  # nothing more of it
            starts[row] = ends[row] = behind[row] = end
        else:
            starts[row], ends[row], behind[row], reasons[row] = hard_field(
                buffer, start, end, pool, literal, length, stop, mode, lead
            )


@lean_kernel
def find_fields(buffer, rows, pool, tokens, heads, open_end, at, line_ends, reasons, spans):
    """Spans of the fields of each line that fits.

    The program: literal k is ``pool[tokens[k, LITERAL]:][: tokens[k, LENGTH]]``, ``heads[k, 0]`` what `find_field`
    compares and ``heads[k, 1]`` its mask. Field k ends at literal k + 1, whose row also says at which byte (``STOP``),
    how (``MODE``: `BACKSLASH_GUARDS` …; `HARD` what `find_field` leaves to `hard_field`), and how many bytes of it
    cannot be its end (``LEAD``). What a line lacks that may end early is empty. Lines are those of `find_lines`; field
    k starts at ``spans[2 * k]`` and ends at ``spans[2 * k + 1]``, uint32 (one row more than twice the fields, rows).
    Writes the ``reasons`` of lines that do not fit, whose spans lie within them and mean nothing.
    """
    rest = spans[2 * len(tokens) - 2]
    for first in range(0, rows, BATCH):
        after = min(first + BATCH, rows)
        for row in range(first, after):
            position = np.int64(at[row])
            if literal_at(buffer, position, pool, tokens[0, LITERAL], tokens[0, LENGTH]):
                position += tokens[0, LENGTH]
            elif reasons[row] == 0:
                reasons[row] = TOO_FEW
            spans[0, row] = line_ends[row] if reasons[row] else position
        for k in range(1, len(tokens)):
            find_field(
                buffer, pool, tokens[k, LITERAL], tokens[k, LENGTH], np.uint8(tokens[k, STOP]), tokens[k, MODE],
                tokens[k, LEAD], heads[k, 0], heads[k, 1], line_ends[first:after], reasons[first:after],
                spans[2 * k - 2, first:after], spans[2 * k - 1, first:after], spans[2 * k, first:after],
            )  # fmt: skip
        for row in range(first, after):
            if reasons[row] == SHORT:
                reasons[row] = 0
            elif reasons[row] == 0 and not open_end and behind_blanks(buffer, np.int64(rest[row])) < line_ends[row]:
                reasons[row] = TRAILING


@lean_kernel
def close_up(rows, gone, lines, kept, spans):
    """Move the lines that are not ``gone`` (ascending), and the spans of the fields ``kept``, to the front."""
    for k in range(2 * len(kept) + 1):
        column = spans[2 * kept[k // 2] + k % 2] if k < 2 * len(kept) else lines
        row = gone[0]
        for i in range(len(gone)):
            for found in range(gone[i] + 1, gone[i + 1] if i + 1 < len(gone) else rows):
                column[np.uint32(row)] = column[np.uint32(found)]
                row += 1


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


@lean_kernel
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


@lean_kernel
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


@lean_kernel
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


@lean_kernel
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


@inline
def is_letter(c):
    return 97 <= (c | 32) <= 122


@inline
def is_digit(c):
    return 48 <= c <= 57


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


@lean_kernel
def intern(buffer, starts, ends, rows, codes, places, slots, hashes, limits, arena, seeds, count):
    """Dense codes of byte strings, in order of first appearance; returns how many distinct ones there are now.

    ``slots`` (a power of two, at most half full): 32 bits of hash, code + 1; where the text starts in the arena, how
    long it is. Text k is ``arena[limits[k]:limits[k + 1]]`` and ``hashes[k]`` its hash. There is room for all rows.
    Some rows at a time (as many as ``places`` holds) are hashed and what they need is prefetched before any is
    compared, so that memory is awaited for many at once.
    """
    mask, low = U(len(slots) - 1), U(0xFFFFFFFF)
    keys = (seeds[0], seeds[1], seeds[2], seeds[3], seeds[4], seeds[5], seeds[6])
    for first in range(0, rows, len(places)):
        some = min(len(places), rows - first)
        for k in range(some):
            prefetch(buffer, np.int64(starts[min(first + k + AHEAD, rows - 1)]))
            places[k] = hash_span(buffer, np.int64(starts[first + k]), np.int64(ends[first + k]), keys)
            prefetch(slots, np.int64(places[k] & mask) * 2)
        for k in range(some if count > FEW else 0):
            begin = np.int64(slots[places[k] & mask, 1] >> U(32))
            prefetch(arena, begin)
            prefetch(arena, begin + 32)
        for k in range(some):
            start, at = np.int64(starts[first + k]), places[k] & mask
            n = np.int64(ends[first + k]) - start
            while True:
                slot, text = slots[at, 0], slots[at, 1]
                if slot == 0:
                    begin = limits[count]
                    for i in range(n):
                        arena[begin + i] = buffer[start + i]
                    limits[count + 1], hashes[count] = begin + n, places[k]
                    count += 1
                    slot = places[k] >> U(32) << U(32) | U(count)
                    slots[at, 0], slots[at, 1] = slot, U(begin) << U(32) | U(n)
                    break
                if (
                    slot >> U(32) == places[k] >> U(32)
                    and text & low == U(n)
                    and same_bytes(buffer, start, arena, np.int64(text >> U(32)), n)
                ):
                    break
                at = (at + U(1)) & mask
            codes[first + k] = np.int64(slot & low) - 1
    return count


@lean_kernel
def rehash(slots, hashes, limits, count):
    """Fill empty ``slots`` from the hashes and places of ``count`` texts."""
    mask = U(len(slots) - 1)
    for code in range(count):
        at = hashes[code] & mask
        while slots[at, 0]:
            at = (at + U(1)) & mask
        slots[at, 0] = hashes[code] >> U(32) << U(32) | U(code + 1)
        slots[at, 1] = U(limits[code]) << U(32) | U(limits[code + 1] - limits[code])

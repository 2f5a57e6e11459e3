"""What the kernels of parsing share: bytes by name, reasons by number (`schema.Reason`), and steps that find a byte.

Loads of `match_mask`, `differ_mask` and `word` are unchecked, here and in the kernels that call this: blocks and arenas
are padded by `schema.PAD`. Everything else is bounds-checked.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

from __future__ import annotations

import numpy as np

from logblur.jit import inline
from logblur.jit.intrinsics import WIDE, first_bit, match_mask

NEWLINE, SPACE, QUOTE, BACKSLASH, TAB, CR, NUMBER_SIGN, DASH = (np.uint8(c) for c in b'\n "\\\t\r#-')
SLASH, COLON, QUESTION, DOT, UNDERSCORE, PLUS, COMMA, LETTER_Z = (np.uint8(c) for c in b"/:?._+,Z")
LEFT_BRACKET, RIGHT_BRACKET = np.uint8(0x5B), np.uint8(0x5D)
TOO_LONG, TOO_FEW, UNCLOSED, TRAILING, BAD_TIME, FUTURE, BAD_STATUS, BAD_BYTES, BAD_DURATION = range(1, 10)
DIRECTIVE, SHORT = 254, 255
"""Not reasons, but what stands in their place: a line that is no request; one that ended before its last field."""


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
def is_letter(c):
    return 97 <= (c | 32) <= 122


@inline
def is_digit(c):
    return 48 <= c <= 57

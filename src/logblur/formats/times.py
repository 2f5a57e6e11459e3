"""Layouts of times: strptime's letters, or a unit, to the small program that a kernel reads a time with.

Letters: ``%Y`` (four digits) ``%y`` (two; 69 to 99 are of the last century) ``%m`` ``%d`` ``%H`` ``%M`` ``%S`` (one or
two digits, the first may be a space) ``%b`` (``Jan``) ``%a`` (letters that say nothing) ``%f`` (a fraction with its
point or comma, or nothing) ``%z`` (``Z``, ``+hhmm``, ``+hh:mm``, ``+hh``). A layout that is a unit, ``s``, ``ms``,
``us`` or ``ns``, is a decimal number of it since 1970; with ``+`` before it, one to be added to another time. The
layout `ANY` is for logs that name no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from logblur.errors import FormatError
from logblur.formats import UNITS

ANY: Final = "any"
"""ISO 8601 (``T`` or a space between date and clock, dashes or slashes, perhaps no zone), the Common Log Format, in
brackets or not, or a number since 1970 in the unit that its digits before the point tell: to 11 s, to 14 ms, to 17 us,
else ns."""

LETTERS: Final = "YymdHMSbafz"
"""The letters of a layout; a kernel knows them by their place here, plus `LITERAL`."""

LITERAL: Final = 256
"""Program tokens from here on are literal bytes."""

_LONG: Final[Mapping[str, str]] = {
    "T": "%H:%M:%S", "R": "%H:%M", "F": "%Y-%m-%d", "D": "%m/%d/%y", "e": "%d", "k": "%H", "h": "%b", "n": " ",
    "t": "\t", "%": "%%", "s": "s",
}  # fmt: skip
"""What other letters of strftime (POSIX) stand for."""

_WIDTHS: Final = dict.fromkeys("ymdHMS", 2) | {"Y": 4, "b": 3, "a": 3, "f": 0, "z": 0, "%": 1}

_PARTS: Final[Mapping[str, str]] = dict.fromkeys("Yymdb", "date") | dict.fromkeys("HMS", "clock") | {"z": "zone"}


_SAME: Final[Mapping[str, str]] = {"y": "Y", "b": "m"}
"""Letters that tell the same part of a time as another."""


def expand(text: str, *, position: int | None = None) -> str:
    """Return the layout of a strftime format.

    Raises:
        FormatError: A letter that this program does not read, or a part of a time that stands twice; carries the
            position.
    """

    def one(found: re.Match[str]) -> str:
        letter = found[1]
        if letter in LETTERS and letter != "f":
            return f"%{letter}"
        if letter not in _LONG:
            raise FormatError(f"%{letter} is no part of a time that can be read here", position=position)
        return _LONG[letter]

    layout = re.sub(r"%[-_0^#EO]?(.)", one, text, flags=re.DOTALL)
    told = [_SAME.get(letter, letter) for letter in re.findall("%(.)", layout, re.DOTALL) if letter not in "a%"]
    if twice := [letter for letter in told if told.count(letter) > 1]:
        raise FormatError(
            f"%{twice[0]} stands twice in a time: nothing tells which of the two counts", position=position
        )
    return layout


def parts(layout: str) -> frozenset[str]:
    """Return what a time of this layout tells: ``date``, ``clock``, ``fraction``, ``zone``."""
    if layout in UNITS or layout == ANY:
        return frozenset({"date", "clock", "fraction", "zone"})
    if layout.removeprefix("+") in UNITS:
        return frozenset({"fraction"})
    told = {_PARTS[letter] for letter in re.findall("%(.)", layout) if letter in _PARTS}
    return frozenset(told | ({"fraction"} if "%f" in layout else set()))


def minute_of(layout: str) -> tuple[int, int]:
    """Return how many tokens of a layout's program stand before its second, and how many bytes they usually are.

    No bytes where that is no help: nothing stands there, it has no usual width, or more than a kernel compares at once.
    """
    before = layout.partition("%S")[0]
    width = _width(before)
    useful = 0 < width < 32 and not {"%f", "%z", "%a"} & set(re.findall("%.", before))
    return (len(program(before)), width) if useful else (0, 0)


def lead(layout: str, stop: bytes) -> int:
    """Return how many bytes of a time pass before it can end at a byte that its layout holds too; 0 if it does not."""
    if layout in UNITS or layout.removeprefix("+") in UNITS or layout == ANY:
        return 0
    return _width(layout[: layout.rfind(stop.decode("latin-1")) + 1])


def _width(layout: str) -> int:
    """Return how many bytes a layout usually is, as strftime pads it; fractions and zones count for nothing."""
    return sum(_WIDTHS[token[1]] if len(token) > 1 else 1 for token in re.findall("%.|.", layout, re.DOTALL))


def program(layout: str) -> list[int]:
    """Return the tokens of a layout: the places of letters in `LETTERS`, and `LITERAL` plus a byte."""
    tokens = []
    for found in re.finditer(r"%(.)|(.)", layout, re.DOTALL):
        if found[1] and found[1] != "%":
            tokens.append(LETTERS.index(found[1]))
        else:
            tokens += [LITERAL + byte for byte in (found[1] or found[2]).encode()]
    return tokens

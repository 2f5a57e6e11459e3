r"""How a text is written in a field, so that a parser reads it again as what it says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from logblur.formats import UNITS, Escape, Field, Kind
from logblur.formats.printing import escaped, number
from logblur.formats.times import ANY

NOTHING: Final = b"-"
NO_METHOD: Final = b"NONE"
"""Stands for a method that the policy drops: a request line begins with one."""

NO_PROTOCOL: Final = b"HTTP/1.0"
"""Stands for a protocol that the policy drops: without one only GET could be read again."""

_NOTHINGS: Final = frozenset({b"", NOTHING, b"/-"})
_SITES: Final = frozenset({"host", "referer"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://")
_BLANK_OR_QUOTE: Final = frozenset({b"", b" ", b"\t", b'"'})
_ODD: Final = re.compile(rb"[^!#-+\--~]")
_PLAIN: Final = re.compile(r"[A-Za-z0-9/._{}-]+")
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_DAYS: Final = "Mon Tue Wed Thu Fri Sat Sun".split()


def fitted(text: str | None, field: Field, literal: bytes) -> bytes:
    """Return bytes that a parser reads as this text in this field, ``-`` where there are none.

    Args:
        text: What is to be said.
        field: Where it stands.
        literal: What ends the field.
    """
    return within_quotes(_fitted(text, field, literal, b""), field)


def part_of_url(text: str | None, name: str, field: Field, literal: bytes) -> bytes:
    """Return how a part stands in a request line or URL; what is behind a host begins with a slash."""
    apart = b"# " if field.kind is Kind.REQUEST else b"#"
    if name == "query":
        printed = _fitted(text and text.replace(" ", "%20"), field, literal, apart)
        return b"" if printed == NOTHING else b"?" + printed
    printed = _fitted(text, field, literal, b"?" + apart)
    if name == "host":
        return b"" if printed == NOTHING else b"http://" + printed
    return b"/-" if name == "path" and text and printed == NOTHING else printed


def is_lost(name: str, said: str | None, printed: bytes, *, there: bool) -> bool:
    """Return whether nothing is printed of a text that is kept: its method has no word for it, or the field no room.

    Args:
        name: The column.
        said: What its method says of it; what tells sites apart has no word for what can be none.
        printed: What `fitted` or `part_of_url` made of that.
        there: Whether there was a text.
    """
    if printed not in _NOTHINGS:
        return False
    return said.encode() != printed if said else there and said is None and name in _SITES


def within_quotes(raw: bytes, field: Field) -> bytes:
    """Return the bytes of a field, within quotes where these may stand around it and are needed."""
    return b'"%b"' % raw if may_be_quoted(field) and _ODD.search(raw) else raw


def may_be_quoted(field: Field) -> bool:
    """Return whether quotes stand around some values of a field, and not around others."""
    return field.quoted and field.escape in {Escape.PERCENT, Escape.DOUBLED}


def _fitted(text: str | None, field: Field, literal: bytes, apart: bytes) -> bytes:
    """Return the bytes of a text; ``apart`` would part it from what is behind it: ``?`` after a path."""
    if not text:
        return NOTHING
    if literal[:1] in _BLANK_OR_QUOTE and _PLAIN.fullmatch(text):  # nearly all: nothing to escape
        return text.encode()
    raw = escaped(text, field.escape)
    awkward = apart + (b"" if field.quoted or field.escape is Escape.JSON else literal[:1])
    written = {Escape.BACKSLASH: b"\\x%02X", Escape.PERCENT: b"%%%02X", Escape.JSON: b"\\u%04X"}.get(field.escape)
    for byte in awkward if written else b"":
        raw = raw.replace(bytes([byte]), written % byte) if written else raw
    if any(byte in raw for byte in awkward + b"\r\n"):
        return NOTHING
    return NOTHING if apart and _SCHEME.match(raw) else raw


def printed_number(value: int, field: Field, nothing: bytes) -> bytes:
    """Return a size, or a duration in microseconds, as a field of this kind says it; below 0 is none."""
    if value < 0:
        return nothing
    if field.kind is not Kind.DURATION:
        return b"%d" % value
    text = number(value, UNITS[field.layout])
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


def printed_time(time: datetime, layout: str, zone: tzinfo) -> bytes:
    """Return a time as a field of this layout says it.

    Args:
        time: With its own zone, in which a layout that names a zone is printed.
        layout: Of `Field`.
        zone: That of the log, for layouts that name none.
    """
    us = (time - _EPOCH) // timedelta(microseconds=1)
    if layout in UNITS:
        power = UNITS[layout]
        return b"%d" % (us // 10**power if power >= 0 else us * 10**-power)
    if layout.removeprefix("+") in UNITS:
        return b"0"
    if layout == ANY:
        return time.isoformat(timespec="seconds").encode()
    local = time if "%z" in layout else time.astimezone(zone)
    parts = {
        "Y": f"{local.year:04}", "y": f"{local.year % 100:02}", "m": f"{local.month:02}", "d": f"{local.day:02}",
        "H": f"{local.hour:02}", "M": f"{local.minute:02}", "S": f"{local.second:02}", "b": _MONTHS[local.month - 1],
        "a": _DAYS[local.weekday()], "f": "", "z": local.strftime("%z"), "%": "%",
    }  # fmt: skip
    return re.sub("%(.)", lambda m: parts[m[1]], layout).encode()

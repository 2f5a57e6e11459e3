r"""Apache LogFormat strings to `Format`.

Source: Apache httpd 2.4, modules/loggers/mod_log_config.c (`parse_log_item_string`: modifiers in any order before the
directive; `log_request_time_custom`: tokens of ``%{…}t``), mod_logio.c (``%I %O %S %^FB``), mod_ssl (``%{…}x``), and
`ap_escape_logitem` in server/util.c: in every header, user and request line a quote, a backslash and control bytes are
written as ``\"``, ``\\``, ``\n``, ``\t`` … or ``\xHH``, so that a quoted field ends at its first unescaped quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from logblur.errors import FormatError
from logblur.formats import CLF, UNITS, Columns, Field, Format, Kind
from logblur.formats.times import expand

_MODIFIERS: Final = re.compile(r"%(?:[!<>,]|\d+|\{(?P<argument>[^}]*)\})*")

_LINE: Final = re.compile(r'\s*(?:LogFormat|CustomLog\s+(?:"[^"]*"|\S+))\s+"((?:[^"\\]|\\.)*)".*', re.IGNORECASE)
"""The whole line of the configuration."""

PLAIN: Final[Mapping[str, Field]] = {
    "h": Field("remote_addr", Kind.TEXT, listed=True),
    "a": Field("remote_addr", Kind.TEXT, listed=True),
    "u": Field("remote_user", Kind.TEXT),
    "t": Field("time", Kind.TIME, layout=CLF),
    "r": Field("request", Kind.REQUEST),
    "s": Field("status", Kind.STATUS),
    "b": Field("bytes_sent", Kind.SIZE),
    "B": Field("bytes_sent", Kind.SIZE),
    "O": Field("bytes_sent", Kind.SIZE),  # mod_logio: including headers
    "I": Field("bytes_received", Kind.SIZE),
    "D": Field("duration", Kind.DURATION, layout="us"),
    "T": Field("duration", Kind.DURATION, layout="s"),
    "v": Field("host", Kind.TEXT),
    "V": Field("host", Kind.TEXT),
    "m": Field("method", Kind.TEXT),
    "U": Field("path", Kind.TEXT),
    "q": Field("query", Kind.URL),  # with its question mark
    "H": Field("protocol", Kind.TEXT),
}
_SKIPPED: Final = frozenset("AfklLpPRSX") | {"^FB"}
"""Directives whose value no column takes: the field is stepped over, its bytes are never looked at."""

_NAMED: Final[Mapping[str, str]] = {
    "i": "http_", "o": "sent_http_", "C": "cookie_", "e": "env_", "n": "note_", "x": "", "c": "",
    "^ti": "http_trailer_", "^to": "sent_trailer_",
}  # fmt: skip
"""Directives that take a name, and what stands before it in that of their column."""

_HEADERS: Final[Mapping[str, str]] = {
    "http_referer": "referer",
    "http_user_agent": "user_agent",
    "http_host": "host",
    "http_x_forwarded_for": "forwarded_for",
    "http_cookie": "cookies",
}
"""Request headers that have a column of their own."""

_MOMENTS: Final[Mapping[str, str]] = {
    "sec": "s", "msec": "ms", "usec": "us", "msec_frac": "+ms", "usec_frac": "+us"
}  # fmt: skip

_UNESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def compile_log_format(text: str, *, name: str = "") -> Format:
    r"""Return the token program of an Apache LogFormat string, as it stands in the configuration or unquoted.

    Args:
        text: Such as ``%h %l %u %t \"%r\" %>s %b``; ``\"`` and ``"`` mean the same.
        name: What people call it; by default the string itself.

    Raises:
        FormatError: An unknown directive, two directives with nothing between them, no time. Carries the position.
    """
    fields: list[Field] = []
    literals: list[bytes] = []
    columns = Columns()
    literal, at, inside = "", 0, False  # inside: between quotes, where a backslash escapes
    if line := _LINE.fullmatch(text):
        at, text = line.start(1), text[: line.end(1)]
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in _UNESCAPES:
            literal, at = literal + _UNESCAPES[text[at + 1]], at + 2
            continue
        if text[at] != "%":
            literal, at = literal + text[at], at + 1
            continue
        if text.startswith("%%", at):
            literal, at = literal + "%", at + 2
            continue
        field, end = _directive(text, at)
        before, after = ("[", "]") if field is PLAIN["t"] else ("", "")
        literal += before
        if fields and not literal:
            if fields[-1].name == "path" and field.name == "query":  # %U%q: the question mark tells them apart
                fields[-1] = replace(fields[-1], name="target", kind=Kind.URL)
                at = end
                continue
            raise FormatError("two directives run together: nothing tells where the first one ends", position=at)
        inside ^= literal.count('"') % 2 == 1
        fields.append(replace(columns.admit(field), quoted=inside))
        literals.append(literal.encode())
        literal, at = after, end
    literals.append(literal.encode())
    if any(b"\n" in x or b"\r" in x for x in literals):
        raise FormatError("a format describes one line: it holds a newline")
    if not columns.dated:
        raise FormatError("the format has no %t: without the time a line belongs to no day")
    literals[0] = literals[0].lstrip()  # blanks before a line are no part of it
    return Format(name or text, tuple(fields), tuple(literals), local_time=not columns.zoned)


def header_column(name: str, prefix: str = "http_") -> str:
    """Return the column of a header, cookie, variable or note: in nginx's manner, or the one of its own."""
    column = prefix + re.sub("[^a-z0-9]", "_", name.lower())
    return _HEADERS.get(column, column)


def _directive(text: str, at: int) -> tuple[Field, int]:
    """Return the field of the directive that begins at a place, and where it ends."""
    found = _MODIFIERS.match(text, at)
    assert found is not None
    argument, end = found["argument"], found.end()
    letter = text[end : end + 3] if text[end : end + 1] == "^" else text[end : end + 1]
    end += len(letter)
    if letter == "t" and argument:
        return _moment(argument, at), end
    if letter == "T" and argument in {"s", "ms", "us"}:
        return Field("duration", Kind.DURATION, layout=argument), end
    if letter == "a" and argument == "c":  # the peer of the connection, where mod_remoteip found another client
        return Field("realip_remote_addr", Kind.TEXT), end
    if letter in _NAMED and argument:
        column = header_column(argument, _NAMED[letter])
        return Field(column, Kind.TEXT, listed=column == "forwarded_for"), end
    if letter in PLAIN and not (argument and letter == "T"):
        return PLAIN[letter], end
    if letter in _SKIPPED:
        return Field("", Kind.TEXT), end
    raise FormatError(
        f"%{letter} is no directive of mod_log_config" if letter.strip() else "this is no Apache directive", position=at
    )


def _moment(argument: str, position: int) -> Field:
    """Return the field of ``%{…}t``."""
    layout = argument.removeprefix("begin:").removeprefix("end:") or CLF
    layout = _MOMENTS.get(layout) or expand(layout, position=position)
    if layout not in UNITS and layout.removeprefix("+") not in UNITS and "%" not in layout:
        raise FormatError("this holds no part of a time", position=position)
    return Field("time", Kind.TIME, layout=layout)

r"""Apache LogFormat strings to `Format`.

Source: Apache httpd 2.4, mod_log_config ("Custom Log Formats"), `ap_escape_logitem` in server/util.c: in every
header, user and request line a quote, a backslash and control bytes are written as ``\"``, ``\\``, ``\n``, ``\t`` …
or ``\xHH``, so that a quoted field ends at its first unescaped quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from logblur.errors import FormatError
from logblur.formats import Field, Format, Kind

_DIRECTIVE: Final = re.compile(
    r"%(?:[!,0-9]*|[<>])(?:\{(?P<argument>[^{}]*)\})?(?P<modifier>[<>]?)(?P<letter>\^?[A-Za-z]{1,2}|%)"
)

_PLAIN: Final[Mapping[str, tuple[str, Kind]]] = {
    "h": ("remote_addr", Kind.TEXT),
    "a": ("remote_addr", Kind.TEXT),
    "u": ("remote_user", Kind.TEXT),
    "t": ("time", Kind.TIME_CLF),
    "r": ("request", Kind.REQUEST),
    "s": ("status", Kind.STATUS),
    "b": ("bytes_sent", Kind.BYTES),
    "B": ("bytes_sent", Kind.BYTES),
    "O": ("bytes_sent", Kind.BYTES),  # mod_logio: including headers
    "v": ("host", Kind.TEXT),
    "V": ("host", Kind.TEXT),
    "m": ("method", Kind.TEXT),
    "U": ("path", Kind.TEXT),
    "H": ("protocol", Kind.TEXT),
}
_HEADERS: Final = {"referer": "referer", "user-agent": "user_agent", "host": "host"}
_SKIPPED: Final = frozenset("ADfIklLpPqRSTXCeino")
"""Directives whose value no column takes: the field is stepped over, its bytes are never looked at."""

_OF_REQUEST: Final = frozenset({"method", "path", "query", "protocol"})

_UNESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


def compile_log_format(text: str, *, name: str = "") -> Format:
    r"""Return the token program of an Apache LogFormat string, as it stands in the configuration or unquoted.

    Args:
        text: Such as ``%h %l %u %t \"%r\" %>s %b``; ``\"`` and ``"`` mean the same.
        name: What people call it; by default the string itself.

    Raises:
        FormatError: An unknown directive, two directives with nothing between them, no ``%t``. Carries the position.
    """
    fields: list[Field] = []
    literals: list[bytes] = []
    literal, at, inside = "", 0, False  # inside: between quotes, where a backslash escapes
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text) and text[at + 1] in _UNESCAPES:
            literal, at = literal + _UNESCAPES[text[at + 1]], at + 2
            continue
        if text[at] != "%":
            literal, at = literal + text[at], at + 1
            continue
        if not (found := _DIRECTIVE.match(text, at)):
            raise FormatError("this is no Apache directive", position=at)
        if found["letter"] == "%":
            literal, at = literal + "%", found.end()
            continue
        column, kind = _column(found["letter"], found["argument"], at)
        before, after = ("[", "]") if kind is Kind.TIME_CLF else ("", "")
        literal += before
        if fields and not literal:
            raise FormatError("two directives run together: nothing tells where the first one ends", position=at)
        inside ^= literal.count('"') % 2 == 1
        taken = {f.name for f in fields}
        if "request" in taken:  # %r and its parts say the same: what is logged first counts
            taken |= _OF_REQUEST
        elif taken & _OF_REQUEST:
            taken.add("request")
        fields.append(Field("" if column in taken else column, kind, quoted=inside))
        literals.append(literal.encode())
        literal, at = after, found.end()
    if "\n" in "".join((text, literal)) or any(b"\n" in x for x in literals):
        raise FormatError("a format describes one line: it holds a newline")
    if not any(f.name == "time" for f in fields):
        raise FormatError("the format has no %t: without the time a line belongs to no day")
    return Format(name or text, tuple(fields), (*literals, literal.encode()))


def _column(letter: str, argument: str | None, position: int) -> tuple[str, Kind]:
    if argument is None and letter in _PLAIN:
        return _PLAIN[letter]
    if argument is not None and letter == "i":
        return _HEADERS.get(argument.lower(), ""), Kind.TEXT
    if argument is not None and letter == "a":  # %{c}a: the peer of the connection, not the client
        return "", Kind.TEXT
    if argument is not None and letter == "t":
        raise FormatError("%{…}t is not read yet: log %t", position=position)
    if letter in _SKIPPED or letter.startswith("^"):
        return "", Kind.TEXT
    raise FormatError(f"%{letter} is no directive of mod_log_config", position=position)

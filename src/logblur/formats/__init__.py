"""What a line looks like: log formats, compiled to the token program that kernel and reference share.

A `Format` is literals and fields in turn: ``literals[0] fields[0] literals[1] … fields[-1] literals[-1]``; or, of JSON
lines, keys and fields. Parsing interprets it; nothing in the kernel knows a format by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final


class Kind(IntEnum):
    """How the bytes of a field are read."""

    TEXT = 0
    TIME = 1  # by the field's layout; several add up: a date, a clock, a fraction, a zone
    STATUS = 2  # three digits; none for -, 0, 000, -1 and nothing
    SIZE = 3  # digits, a plus before them or none; none for -, -1 and nothing
    DURATION = 4  # a decimal number of the field's layout (s, ms, us, ns); none for -, nothing and a negative one
    REQUEST = 5  # GET /path?query HTTP/1.1
    URL = 6  # /path?query, or with scheme and host
    ADDRESS = 7  # an address with a port behind it, which is left out, as are brackets


class Escape(IntEnum):
    """How a text was written so that no byte of it reads as the end of its field, or of its line."""

    NONE = 0
    BACKSLASH = 1  # \" \\ \n \xHH: Apache's ap_escape_logitem, nginx's default
    JSON = 2  # RFC 8259, nginx's escape=json
    PERCENT = 3  # W3C extended: %HH, + for a space, quotes doubled within quotes
    DOUBLED = 4  # CSV, RFC 4180: quotes doubled within quotes


UNITS: Final[Mapping[str, int]] = {"s": 6, "ms": 3, "us": 0, "ns": -3}
"""Units a number of time can be in: the power of ten that makes microseconds of it."""

CLF: Final = "%d/%b/%Y:%H:%M:%S %z"
"""The layout of times in the Common Log Format."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a line.

    Attributes:
        name: A column (`schema.field`); ``request``, ``absolute_request``, ``url`` or ``target`` for what is taken
            apart; empty for what is only stepped over.
        kind: How its bytes are read.
        escape: How its text was escaped.
        quoted: Whether the escape guards its end: no escaped byte ends it. With ``PERCENT`` and ``DOUBLED`` quotes may
            stand around it, and what they hold does not end it.
        layout: Of a time: strptime's letters (`formats.times`) or a unit; of a duration: a unit.
        padded: Whether spaces before it are padding.
        listed: Whether it may be a list, ``a, b : c`` (nginx's upstreams, forwarded addresses), that spaces do not end.
    """

    name: str
    kind: Kind
    escape: Escape = Escape.BACKSLASH
    quoted: bool = False
    layout: str = ""
    padded: bool = False
    listed: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that this field yields, in the order of its parts."""
        match self.name:
            case "":
                return ()
            case "request":
                return ("method", "path", "query", "protocol")
            case "absolute_request":
                return ("method", "path", "query", "protocol", "host")
            case "url":
                return ("path", "query", "host")
            case "target":
                return ("path", "query")
            case "referer":
                return ("referer", "referer_host")
            case name:
                return (name,)


@dataclass(frozen=True, slots=True)
class Format:
    """A compiled log format.

    Attributes:
        name: As people call it; the definition itself where it has no name.
        fields: At least one; ``time`` is among them. No column is yielded by two, but ``time``, whose fields add up.
        literals: One more than fields. Only the first and the last may be empty.
        optional: How many of the last fields a line may lack: formats grow over the years.
        open_end: Whether anything may follow the last literal; it is dropped.
        local_time: Whether times carry no zone and are not UTC by definition: ``log_timezone`` says which.
        day_us: Midnight of the lines' day, microseconds since 1970, where lines have a clock and no date.
        follows_fields: Whether ``#Fields`` and ``#Date`` lines of the log take the place of `fields` (W3C extended).
        alternatives: Formats that lines are tried against, in this order, which this one refuses.
        header: How a line begins that names the columns and is no row (CSV); empty where there is none.
        guessed: Whether the log itself told the format: what fits none may be guessed again.
        keys: Of JSON lines: the paths (`formats.json`) at which each field may be. There are no literals then.
        marker: Of JSON lines: a path that every request has; a line without it is a directive.
        wrapping: How lines stand within the log's own ones (`formats.wrapping`); empty where they are its lines.
    """

    name: str
    fields: tuple[Field, ...]
    literals: tuple[bytes, ...]
    optional: int = 0
    open_end: bool = False
    local_time: bool = False
    day_us: int = 0
    follows_fields: bool = False
    alternatives: tuple[Format, ...] = ()
    header: bytes = b""
    guessed: bool = False
    keys: tuple[tuple[str, ...], ...] = ()
    marker: str = ""
    wrapping: str = ""

    @property
    def columns(self) -> frozenset[str]:
        """The columns (`schema.field`) that this format and its alternatives can yield."""
        own = frozenset(name for field in self.fields for name in field.columns)
        return own.union(*(form.columns for form in self.alternatives))


class Columns:
    """What the fields of a format already yield, while it is compiled: of two that say the same, the first counts."""

    __slots__ = ("_taken", "_times")

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._times: set[str] = set()

    def admit(self, field: Field) -> Field:
        """Return the field, or one that is only stepped over, where its columns are taken."""
        if field.kind is Kind.TIME and field.name:
            from logblur.formats.times import parts

            told = parts(field.layout)
            if told & self._times:
                return replace(field, name="", kind=Kind.TEXT)
            self._times |= told
        elif self._taken & set(field.columns):
            return replace(field, name="", kind=Kind.TEXT)
        self._taken |= set(field.columns)
        return field

    @property
    def dated(self) -> bool:
        """Whether the times name a day."""
        return "date" in self._times

    @property
    def timed(self) -> bool:
        """Whether the times name a time of day."""
        return "clock" in self._times

    @property
    def zoned(self) -> bool:
        """Whether the times name their zone."""
        return "zone" in self._times


def resolve_format(text: str) -> Format:
    """Return the format that a name, a definition as it stands in a configuration, or a ``#Fields`` line means.

    Args:
        text: A name of `named.NAMED`; an Apache LogFormat string, or the line ``LogFormat "…" name``; an nginx
            log_format string, or the whole statement; ``#Fields: …``; a mapping of JSON keys (`formats.json`). With
            `` ...`` behind it, whatever follows on a line is dropped; with a carrier's name before it, as in
            ``syslog:combined``, what that carrier writes before a line (`carriers.CARRIERS`).

    Raises:
        FormatError: It is none of these; the message names the known formats or the position at fault.
    """
    from logblur.errors import FormatError
    from logblur.formats import apache, json, nginx, w3c
    from logblur.formats.carriers import CARRIERS, carried
    from logblur.formats.named import NAMED

    if text.endswith(" ..."):
        strict = resolve_format(text.removesuffix(" ..."))
        return replace(strict, name=f"{strict.name} ...", open_end=True)
    carrier, colon, inner = text.partition(":")
    if colon and carrier in CARRIERS:
        return carried(resolve_format(inner), carrier)
    if text in NAMED:
        return replace(NAMED[text](), name=text)
    if text.startswith("#Fields:"):
        return w3c.compile_fields(text)
    if text.lstrip().startswith("{") and not {"%", "$"} & set(text):
        return json.read_mapping(text)
    if nginx.is_log_format(text):
        return nginx.compile_log_format(text)
    if "%" not in text:
        known = ", ".join(NAMED)
        raise FormatError(
            f"{text!r} is no known format: use auto, one of {known}, an Apache LogFormat string, an nginx log_format "
            "string, or a #Fields line"
        )
    return apache.compile_log_format(text)

"""W3C extended log files: the lines ``#Fields`` and ``#Date`` of a log to the `Format` of the lines behind them.

Source: "Extended Log File Format", W3C working draft WD-logfile-960323; "W3C Logging" of IIS; "Standard logs" of Amazon
CloudFront. Times are UTC by definition. Fields are separated by tabs or spaces; quotes may stand around a string, and
are doubled within it. IIS writes ``+`` for a space in headers, CloudFront ``%20``. ``time-taken`` is in seconds by the
draft and CloudFront, in milliseconds by IIS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from logblur.errors import FormatError
from logblur.formats import Columns, Escape, Field, Format, Kind
from logblur.formats.apache import header_column

_DIRECTIVES: Final = (b"#Fields:", b"#Date:")

_BOM: Final = b"\xef\xbb\xbf"

_MAX_DIRECTIVE: Final = 16 << 10
"""A longer line is no directive."""

KNOWN: Final[Mapping[str, Field]] = {
    "date": Field("time", Kind.TIME, Escape.DOUBLED, layout="%Y-%m-%d"),
    "time": Field("time", Kind.TIME, Escape.DOUBLED, layout="%H:%M:%S%f"),
    "date-local": Field("time", Kind.TIME, Escape.DOUBLED, layout="%Y-%m-%d"),
    "time-local": Field("time", Kind.TIME, Escape.DOUBLED, layout="%H:%M:%S%f"),
    "c-ip": Field("remote_addr", Kind.TEXT, Escape.DOUBLED),
    "cs-username": Field("remote_user", Kind.TEXT, Escape.PERCENT),
    "c-auth-id": Field("remote_user", Kind.TEXT, Escape.PERCENT),
    "cs-host": Field("host", Kind.TEXT, Escape.DOUBLED),
    "x-host-header": Field("host", Kind.TEXT, Escape.DOUBLED),
    "cs-method": Field("method", Kind.TEXT, Escape.DOUBLED),
    "cs-uri": Field("url", Kind.URL, Escape.DOUBLED),
    "cs-uri-stem": Field("path", Kind.TEXT, Escape.DOUBLED),
    "cs-uri-query": Field("query", Kind.TEXT, Escape.DOUBLED),
    "cs-version": Field("protocol", Kind.TEXT, Escape.DOUBLED),
    "cs-protocol-version": Field("protocol", Kind.TEXT, Escape.DOUBLED),
    "sc-status": Field("status", Kind.STATUS, Escape.DOUBLED),
    "sc-bytes": Field("bytes_sent", Kind.SIZE, Escape.DOUBLED),
    "bytes": Field("bytes_sent", Kind.SIZE, Escape.DOUBLED),
    "cs-bytes": Field("bytes_received", Kind.SIZE, Escape.DOUBLED),
    "x-forwarded-for": Field("forwarded_for", Kind.TEXT, Escape.PERCENT),
    "sc-content-type": Field("sent_http_content_type", Kind.TEXT, Escape.PERCENT),
}
_REFERRER: Final = Field("referer", Kind.TEXT, Escape.DOUBLED)
_IIS: Final = frozenset({"s-sitename", "s-computername", "s-port", "sc-substatus", "sc-win32-status"})
"""Fields that IIS has: there ``time-taken`` is in milliseconds."""

_HEADER: Final = re.compile(r"(cs|sc|c|s)\(([^)]+)\)", re.IGNORECASE)

IIS_FIELDS: Final = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status "
    "sc-substatus sc-win32-status time-taken"
)
CLOUDFRONT_FIELDS: Final = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) "
    "cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken "
    "x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status "
    "fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end"
)

UNDATED: Final = Format(
    "w3c", (Field("time", Kind.TIME, Escape.NONE, layout="%Y-%m-%dT%H:%M:%S%f"),), (b"", b""), follows_fields=True
)
"""What lines are read with before any ``#Fields``: nothing tells what they hold, so each is refused for its time."""


def compile_fields(
    text: str, *, name: str = "", separator: bytes = b" ", day_us: int | None = None, optional: int = 0
) -> Format:
    """Return the format that a ``#Fields`` line tells, with or without these words.

    Args:
        text: Names, separated by blanks.
        name: What people call it; by default the line.
        separator: What stands between two fields.
        day_us: The day that ``#Date`` names, for lines without a date.
        optional: How many of the last fields a line may lack.

    Raises:
        FormatError: No field, or none that tells the time.
    """
    names = text.removeprefix("#Fields:").split()
    columns, known = Columns(), {x.lower() for x in names}
    fields = [columns.admit(_field(x.lower(), known, separator)) for x in names]
    if not columns.timed or not (columns.dated or day_us is not None):
        raise FormatError("the fields hold no time, or no date that goes with it: a line belongs to no day")
    literals = (b"", *[separator] * (len(fields) - 1), b"")
    return Format(
        name or f"#Fields: {' '.join(names)}", tuple(fields), literals, optional=optional, follows_fields=True,
        local_time="date-local" in known and "date" not in known,
        day_us=0 if columns.dated or day_us is None else day_us,
    )  # fmt: skip


def _field(name: str, known: set[str], separator: bytes) -> Field:
    """Return the field of a lower-case name of W3C extended."""
    return replace(_plain_field(name, known), quoted=True, padded=separator == b" ")


def _plain_field(name: str, known: set[str]) -> Field:
    if name in {"time-taken", "timetakenms"}:
        unit = "ms" if known & _IIS else "s"
        return Field("duration", Kind.DURATION, Escape.DOUBLED, layout=unit)
    if name in KNOWN:
        return KNOWN[name]
    if header := _HEADER.fullmatch(name):
        column = header_column(header[2], "sent_http_" if header[1] in {"sc", "s"} else "http_")
        if column in {"referer", "http_referrer"}:
            return _REFERRER
        if column == "host" and "x-host-header" in known:  # CloudFront: the distribution's name, not the site's
            column = "http_host"
        return Field(column, Kind.TEXT, Escape.PERCENT)
    column = re.sub("[^a-z0-9]+", "_", name).strip("_")
    plain = column in {"time", "status", "duration", "bytes_sent", "bytes_received"}  # the name of another kind
    return Field("" if plain else column, Kind.TEXT, Escape.PERCENT)


def updated(data: bytes, directives: bytes) -> bytes:
    """Return the directives in force behind these lines, of those in force before them."""
    first = _first(data)
    for mark in _DIRECTIVES:
        at = data.rfind(b"\n" + mark) + 1 or first
        if data.startswith(mark, at):
            directives = _with(directives, mark, data, at)
    return directives


def runs(data: bytes, directives: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield where lines begin and end that are under the same directives, and these."""
    begins, first = [], _first(data)
    for mark in _DIRECTIVES:
        at = first if data.startswith(mark, first) else data.find(b"\n" + mark) + 1
        while data.startswith(mark, at):
            begins.append((at, mark))
            at = data.find(b"\n" + mark, at) + 1
            if at == 0:
                break
    begin = 0
    for at, mark in sorted(begins):
        after = _with(directives, mark, data, at)
        if after != directives:
            if at > max(begin, first):
                yield begin, at, directives
                begin = at
            directives = after
    yield begin, len(data), directives


def _first(data: bytes) -> int:
    """Return where the first line begins: behind a byte order mark."""
    return len(_BOM) if data.startswith(_BOM) else 0


def _with(directives: bytes, mark: bytes, data: bytes, at: int) -> bytes:
    """Return the directives with the one that stands there in the place of its like."""
    end = data.find(b"\n", at)
    line = data[at : end if end >= 0 else len(data)].strip()
    if len(line) > _MAX_DIRECTIVE:
        return directives
    kept = [x for x in directives.split(b"\n") if x and not x.startswith(mark)]
    return b"\n".join(sorted([*kept, line]))


def in_force(form: Format, directives: bytes, lines: bytes) -> Format:
    """Return what lines under these directives are read with: by tabs where the first of them has any."""
    if not directives:
        return form
    at = _first(lines)
    while lines.startswith((b"#", b"\n", b"\r"), at) and (end := lines.find(b"\n", at)) >= 0:
        at = end + 1
    return _in_force(form, directives, lines.find(b"\t", at, max(lines.find(b"\n", at), at)) >= 0)


@lru_cache(maxsize=256)
def _in_force(form: Format, directives: bytes, tabs: bool) -> Format:
    lines = directives.decode("latin-1").split("\n")
    fields = next((x for x in lines if x.startswith("#Fields:")), None)
    date = next((x for x in lines if x.startswith("#Date:")), "")
    if fields is None:
        return form
    try:
        return compile_fields(
            fields, name=form.name, separator=b"\t" if tabs else b" ", day_us=_day(date), optional=form.optional
        )
    except FormatError:
        return UNDATED


def _day(date: str) -> int | None:
    found = re.search(r"(\d{4})-(\d\d)-(\d\d)", date)
    try:
        day = datetime(*map(int, found.groups()), tzinfo=UTC) if found else None  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    return int(day.timestamp()) * 1_000_000 if day and day.year >= 1970 else None

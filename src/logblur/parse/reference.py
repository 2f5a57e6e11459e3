r"""The slow twin: what parsing means, one line at a time, to be read and to be compared with the kernel.

Both interpret the same `Format` and must agree on rows, values, reject reasons and offsets for any bytes. It shares
`text_of` with the kernel (that is per distinct value and Python in both) and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from logblur.formats import Format, Kind
from logblur.parse.text import text_of
from logblur.schema import Block, Reason

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_TIME = re.compile(rb"(\d\d)/([A-Z][a-z][a-z])/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII)
_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9_-]{0,31}")
_PROTOCOL = re.compile(rb"HTTP/[0-9.]{1,8}")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference found: rows as dicts by column, rejects as (offset, reason), lines that are neither."""

    rows: list[dict[str, Any]]
    rejects: list[tuple[int, Reason]]
    directives: int


class _RejectedError(Exception):
    """A line does not fit; carries the reason."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def parse(
    blocks: Iterable[Block], form: Format, columns: Sequence[str], *, latest_us: int, max_line_bytes: int
) -> Reference:
    """Return what the blocks hold, by the definition. Same arguments and meaning as `Parser`."""
    found = Reference([], [], 0)
    directives = 0
    for block in blocks:
        offset = block.offset
        for line in block.data[: block.size].tobytes().split(b"\n")[:-1]:
            try:
                row = _row(line, form, latest_us, max_line_bytes)
            except _RejectedError as rejected:
                found.rejects.append((offset, rejected.reason))
            else:
                if row is None:
                    directives += 1
                else:
                    found.rows.append({name: row.get(name) for name in columns})
            offset += len(line) + 1
    return Reference(found.rows, found.rejects, directives)


def _row(line: bytes, form: Format, latest_us: int, max_line_bytes: int) -> dict[str, Any] | None:
    if len(line) > max_line_bytes:
        raise _RejectedError(Reason.TOO_LONG)
    if not line.strip(b" \t\r") or line.startswith(b"#"):
        return None
    raw = _fields(line, form)
    values: dict[str, Any] = {}
    for wanted, reason in ((Kind.TIME_CLF, None), (Kind.STATUS, Reason.BAD_STATUS), (Kind.BYTES, Reason.BAD_BYTES)):
        for field, value in zip(form.fields, raw, strict=True):
            if field.kind is not wanted or not field.name:
                continue
            if wanted is Kind.TIME_CLF:
                values["time"] = _time(value, latest_us)
            elif wanted is Kind.STATUS and re.fullmatch(rb"[1-9][0-9][0-9]", value):
                values[field.name] = int(value)
            elif wanted is Kind.BYTES and re.fullmatch(rb"-|[0-9]{1,13}", value):
                values[field.name] = None if value == b"-" else int(value)
            else:
                assert reason is not None
                raise _RejectedError(reason)
    for field, value in zip(form.fields, raw, strict=True):
        if field.kind is Kind.REQUEST and field.name:
            parts = _request(value)
            values |= {n: text_of(p) for n, p in zip(("method", "path", "query", "protocol"), parts, strict=True)}
        elif field.kind is Kind.TEXT and field.name:
            values[field.name] = text_of(value)
            if field.name == "referer":
                values["referer_host"] = text_of(_host(value))
    return values


def _fields(line: bytes, form: Format) -> list[bytes]:
    """Return the raw bytes of each field; a field ends where the literal behind it first stands unescaped."""
    if not line.startswith(form.literals[0]):
        raise _RejectedError(Reason.TOO_FEW_FIELDS)
    at, raw = len(form.literals[0]), []
    for field, literal in zip(form.fields, form.literals[1:], strict=True):
        if not literal:  # the last field, to the end of the line
            raw.append(line[at:].rstrip(b" \r"))
            return raw
        end = line.find(literal, at)
        while field.quoted and end >= 0 and _escaped(line, at, end):
            end = line.find(literal, end + 1)
        if end < 0:
            raise _RejectedError(Reason.UNCLOSED_QUOTE if field.quoted else Reason.TOO_FEW_FIELDS)
        raw.append(line[at:end])
        at = end + len(literal)
    if line[at:].strip(b" \r"):
        raise _RejectedError(Reason.TRAILING)
    return raw


def _escaped(line: bytes, start: int, at: int) -> bool:
    run = at - start - len(line[start:at].rstrip(b"\\"))
    return run % 2 == 1


def _time(value: bytes, latest_us: int) -> datetime:
    found = _TIME.fullmatch(value)
    if not found or found[2] not in _MONTHS:
        raise _RejectedError(Reason.BAD_TIME)
    day, year, hour, minute, second = (int(found[k]) for k in (1, 3, 4, 5, 6))
    zone_hour, zone_minute = int(found[8]), int(found[9])
    if not 1970 <= year <= 9998 or second > 60 or zone_hour > 23 or zone_minute > 59:
        raise _RejectedError(Reason.BAD_TIME)
    shift = timedelta(hours=zone_hour, minutes=zone_minute)
    try:
        zone = timezone(-shift if found[7] == b"-" else shift)
        time = datetime(year, _MONTHS.index(found[2]) + 1, day, hour, minute, tzinfo=zone)
        time = time.astimezone(UTC) + timedelta(seconds=second)  # a leap second is the next minute's first
    except ValueError:
        raise _RejectedError(Reason.BAD_TIME) from None
    if time < _EPOCH:
        raise _RejectedError(Reason.BAD_TIME)
    if (time - _EPOCH) // timedelta(microseconds=1) > latest_us:
        raise _RejectedError(Reason.FUTURE_TIME)
    return time


def _request(line: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Return (method, path, query, protocol) of a request line; all empty where it is not HTTP (RFC 9112, 3)."""
    nothing = (b"", b"", b"", b"")
    method, _, rest = line.partition(b" ")
    if not _METHOD.fullmatch(method):
        return nothing
    target, _, protocol = rest.rpartition(b" ")
    if not _PROTOCOL.fullmatch(protocol):
        target, protocol = rest, b""
        if method != b"GET":  # RFC 1945: a simple request has no version, and GET is its only method
            return nothing
    if not target:
        return nothing
    if scheme := _SCHEME.match(target):  # absolute form, as proxies get it
        rest = target[scheme.end() :]
        authority = re.match(rb"[^/?#]*", rest)
        assert authority is not None
        target = rest[authority.end() :]
        if not target.startswith(b"/"):
            target = b"/" + target
    target = target.partition(b"#")[0]
    path, _, query = target.partition(b"?")
    return method, path, query, protocol


def _host(referer: bytes) -> bytes:
    scheme = _SCHEME.match(referer)
    if not scheme:
        return b""
    found = re.match(rb"[^/?#]*", referer[scheme.end() :])
    assert found is not None
    return found[0]

r"""The slow twin: what parsing means, one line at a time, to be read and to be compared with the kernel.

Both interpret the same `Format` and must agree on rows, values, reject reasons and offsets for any bytes. It shares
`text_of` with the kernel (that is per distinct value and Python in both) and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any

from logblur.formats import CLF, UNITS, Escape, Field, Format, Kind, w3c
from logblur.formats.times import ANY, lead
from logblur.formats.wrapping import unwrapped
from logblur.parse.json_reference import NoJsonError, has, read_object, value_of
from logblur.parse.text import text_of
from logblur.schema import Block, Reason

_MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_METHOD = re.compile(rb"[A-Za-z][A-Za-z0-9_-]{0,31}")
_PROTOCOL = re.compile(rb"HTTP/[0-9.]{1,8}")
_CLF = re.compile(rb"\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}")  # servers write all its digits
_DURATION = re.compile(rb"([0-9.+-]+)(?:[eE]([+-]?[0-9]{1,2}))?(s|ms|us|\xc2\xb5s|\xce\xbcs|ns)?")
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LETTERS = {
    "Y": rb"(\d{4})", "y": rb"(\d{2})", "b": b"(" + b"|".join(_MONTHS) + b")", "a": rb"()(?>[A-Za-z]+)",
    "f": rb"(?>[.,](\d+))?+", "z": rb"(Z|[+-]\d\d(?>:?\d\d|:)?+)",
    **dict.fromkeys("mdHMS", rb"((?> \d|\d\d?+))"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference found: rows as dicts by column, rejects as (offset, reason), lines that are neither."""

    rows: list[dict[str, Any]]
    rejects: list[tuple[int, Reason]]
    directives: int


class RejectedError(Exception):
    """A line does not fit; carries the reason."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason


def parse(
    blocks: Iterable[Block],
    form: Format,
    columns: Sequence[str],
    *,
    latest_us: int,
    max_line_bytes: int,
    local: tzinfo = UTC,
) -> Reference:
    """Return what the blocks hold, by the definition. Same arguments and meaning as `Parser`."""
    found = Reference([], [], 0)
    directives = 0
    for part, begin, told in _parts(blocks, form):
        left: dict[tuple[int, int], tuple[bytes, Reason]] = {}
        at = begin
        for whole in part.split(b"\n")[:-1]:
            for number, line in enumerate(_lines(whole, form)):
                left[at, number] = line, Reason.TOO_LONG
            at += len(whole) + 1
        for tried in (told, *told.alternatives):  # rows of an alternative come behind those of what it stands in for
            for offset, (line, reason) in list(left.items()):
                try:
                    row = _row(line, tried, latest_us, max_line_bytes, local)
                except RejectedError as rejected:
                    if tried is told and told.header and line.startswith(told.header):
                        del left[offset]
                        directives += 1
                        continue
                    left[offset] = line, rejected.reason if tried is told else reason
                    continue
                if tried is not told and reason in {Reason.TOO_LONG, Reason.FUTURE_TIME}:
                    continue
                del left[offset]
                if row is None:
                    directives += 1
                else:
                    found.rows.append({name: row.get(name) for name in columns})
        found.rejects.extend((offset, reason) for (offset, _), (_, reason) in left.items())
    return Reference(found.rows, found.rejects, directives)


def _lines(whole: bytes, form: Format) -> list[bytes]:
    """Return the lines that stand within one of the log's."""
    return unwrapped(whole + b"\n", form)[0].split(b"\n")[:-1] if form.wrapping else [whole]


def _parts(blocks: Iterable[Block], form: Format) -> Iterable[tuple[bytes, int, Format]]:
    """Yield lines, where they begin, and the format they are in."""
    for block in blocks:
        data = block.data[: block.size].tobytes()
        if not form.follows_fields:
            yield data, block.offset, form
            continue
        for begin, end, directives in w3c.runs(data, block.directives):
            yield data[begin:end], block.offset + begin, w3c.in_force(form, directives, data[begin:end])


def _row(line: bytes, form: Format, latest_us: int, max_line_bytes: int, local: tzinfo) -> dict[str, Any] | None:
    raw = read(line, form, latest_us=latest_us, max_line_bytes=max_line_bytes, local=local)
    return None if raw is None else values_of(raw)


Row = tuple[datetime, list[tuple[Field, bytes]]]
"""A line that fits: its time, and the raw bytes of its fields."""


def read(line: bytes, form: Format, *, latest_us: int, max_line_bytes: int, local: tzinfo = UTC) -> Row | None:
    """Return what stands in a line, None for a directive.

    Raises:
        RejectedError: It does not fit.
    """
    line = line.removeprefix(b"\xef\xbb\xbf").lstrip(b"\0")  # a byte order mark; the hole of a log cut in place
    if len(line) > max_line_bytes:
        raise RejectedError(Reason.TOO_LONG)
    if not line.strip(b" \t\r") or line.startswith(b"#"):
        return None
    found = _members(line, form) if form.keys else _fields(line, form)
    if found is None:
        return None
    raw = [*zip(form.fields, found, strict=True)]
    time = _time(form, raw, latest_us, local)
    for kind in (Kind.STATUS, Kind.SIZE, Kind.DURATION):
        for field, value in raw:
            if field.kind is kind and field.name:
                _number(field, value)
    return time, raw


def values_of(row: Row) -> dict[str, Any]:
    """Return the value of each column that a line yields."""
    time, raw = row
    values: dict[str, Any] = {"time": time}
    for field, value in raw:
        if field.kind in {Kind.REQUEST, Kind.URL} and field.name:
            parts = _request(value) if field.kind is Kind.REQUEST else (b"", *_url(value if value != b"-" else b""))
            names = ("method", "path", "query", "host", "protocol")
            texts = {n: text_of(p, field.escape) for n, p in zip(names, parts, strict=False)}
            values |= {name: texts[name] for name in field.columns}
        elif field.kind in {Kind.TEXT, Kind.ADDRESS} and field.name:
            value = _address(value, field.layout) if field.kind is Kind.ADDRESS else value  # noqa: PLW2901
            values[field.name] = text_of(value, field.escape)
            if field.name == "referer":
                values["referer_host"] = text_of(_host(value), field.escape)
        elif field.kind in {Kind.STATUS, Kind.SIZE, Kind.DURATION} and field.name:
            values[field.name] = _number(field, value)
    return values


def _members(line: bytes, form: Format) -> list[bytes] | None:
    """Return the raw bytes of each field of a JSON line; None for a message of the server's own."""
    try:
        found = read_object(line)
    except NoJsonError as error:
        raise RejectedError(error.reason) from None
    if form.marker and not has(found, form.marker):
        return None
    return [value_of(found, paths) for paths in form.keys]


def _fields(line: bytes, form: Format) -> list[bytes]:
    """Return the raw bytes of each field; a field ends where the literal behind it first stands unescaped."""
    line = line.lstrip(b" \t\r") if line[:1] <= b" " else line
    literals = list(form.literals)
    if form.open_end and not literals[-1]:
        literals[-1] = b" "
    required = len(form.fields) - form.optional if form.optional or form.open_end else len(form.fields) + 1
    if not line.startswith(literals[0]):
        raise RejectedError(Reason.TOO_FEW_FIELDS)
    at, raw = len(literals[0]), []
    for k, (field, literal) in enumerate(zip(form.fields, literals[1:], strict=True)):
        at += len(line[at:]) - len(line[at:].lstrip(b" ")) if field.padded else 0
        value, after, short = _field(line, at, field, literal, may_end=k + 1 >= required)
        raw.append(value)
        if short:
            return raw + [b""] * (len(form.fields) - len(raw))
        at = after
    if not form.open_end and line[at:].strip(b" \t\r"):
        raise RejectedError(Reason.TRAILING)
    return raw


def _field(line: bytes, at: int, field: Field, literal: bytes, *, may_end: bool) -> tuple[bytes, int, bool]:
    """Return a field's bytes, where the next one starts, and whether the line ends instead."""
    doubled = field.quoted and field.escape in {Escape.PERCENT, Escape.DOUBLED}
    if doubled and (found := re.compile(rb'"((?>[^"]+|"")*+)"').match(line, at)):
        rest = line[found.end() :]
        if literal and rest.startswith(literal):
            return found[1], found.end() + len(literal), False
        if (not literal or may_end) and not rest.strip(b" \t\r"):
            return found[1], len(line), bool(literal)
    if not literal:  # the last field, to the end of the line
        return line[at:].rstrip(b" \t\r"), len(line), False
    guarded = field.quoted and not doubled
    listed = field.listed and not field.quoted and literal[:1] == b" "
    end = line.find(literal[:1], at + (lead(field.layout, literal[:1]) if field.kind is Kind.TIME else 0))
    while end >= 0:
        if not (guarded and _escaped(line, at, end)) and not (listed and _within_list(line, at, end)):
            if line.startswith(literal, end):
                return line[at:end], end + len(literal), False
            if may_end and literal[:1] in b'"]})' and not line[end + 1 :].strip(b" \t\r"):
                return line[at:end], len(line), True
        end = line.find(literal[:1], end + 1)
    if may_end and not guarded:
        return line[at:].rstrip(b" \t\r"), len(line), True
    raise RejectedError(Reason.UNCLOSED_QUOTE if guarded else Reason.TOO_FEW_FIELDS)


def _escaped(line: bytes, start: int, at: int) -> bool:
    run = at - start - len(line[start:at].rstrip(b"\\"))
    return run % 2 == 1


def _within_list(line: bytes, start: int, at: int) -> bool:
    """Whether the space here stands between two items of a list: behind a comma, or around a lone colon."""
    return line[start:at].endswith((b",", b" :")) or line.startswith(b": ", at + 1)


def _number(field: Field, value: bytes) -> int | None:
    if field.kind is Kind.STATUS:
        if value in {b"", b"-", b"0", b"000", b"-1"}:
            return None
        if re.fullmatch(rb"[1-9][0-9][0-9]", value):
            return int(value)
        raise RejectedError(Reason.BAD_STATUS)
    if field.kind is Kind.SIZE:
        if re.fullmatch(rb"-1?|\+?[0-9]{1,13}|", value):
            return int(value) if value[-1:].isdigit() and value != b"-1" else None
        raise RejectedError(Reason.BAD_BYTES)
    if value in {b"", b"-"}:
        return None
    power = UNITS[field.layout]
    if found := _DURATION.fullmatch(value):
        value, exponent, unit = found[1], int(found[2] or 0), found[3] or b""
        power = (UNITS[unit.decode().replace("\xb5", "u").replace("\u03bc", "u")] if unit else power) + exponent
    number = _decimal(value, power, Reason.BAD_DURATION)
    return None if value.startswith(b"-") else number


def _decimal(value: bytes, power: int, reason: Reason) -> int:
    """Return a decimal number times ten to the power, cut off."""
    if not re.fullmatch(rb"[+-]?[0-9]+(\.[0-9]*)?", value):
        raise RejectedError(reason)
    whole, _, fraction = value.lstrip(b"+-").partition(b".")
    digits = whole + fraction[: max(power, 0)]
    if any(int(digits[:n]) > 9 * 10**17 for n in range(1, len(digits))):
        raise RejectedError(reason)
    number = int(digits)
    for _ in range(max(power, 0) - len(fraction[: max(power, 0)])):
        if number > 9 * 10**17:
            raise RejectedError(reason)
        number *= 10
    return number // int(10 ** max(-power, 0))


def _time(form: Format, raw: Sequence[tuple[Field, bytes]], latest_us: int, local: tzinfo) -> datetime:
    us, zoneless = form.day_us, form.local_time
    for field, value in raw:
        if field.kind is not Kind.TIME or not field.name:
            continue
        unit = field.layout.removeprefix("+")
        if unit in UNITS:
            if value in {b"", b"-"} or value.startswith(b"-"):
                raise RejectedError(Reason.BAD_TIME)
            us += min(_decimal(value, UNITS[unit], Reason.BAD_TIME), 1 << 61)
        elif unit == ANY:
            bare = value[1:-1] if value[:1] == b"[" and value[1:][-1:] == b"]" else value
            layout = _layout_of(bare)
            zoneless = layout.endswith("%f")
            us += _decimal(bare, UNITS[layout], Reason.BAD_TIME) if layout in UNITS else _clock(bare, layout)
        else:
            if field.layout == CLF and not _CLF.fullmatch(value):
                raise RejectedError(Reason.BAD_TIME)
            us += _clock(value, field.layout)
    if us < 0 and not zoneless:
        raise RejectedError(Reason.BAD_TIME)
    try:
        time = _EPOCH + us * _MICROSECOND
        if zoneless:
            time -= time.replace(tzinfo=local, fold=0).utcoffset() or timedelta()
    except OverflowError:
        time = None
    if time is not None and time < _EPOCH:
        raise RejectedError(Reason.BAD_TIME)
    if time is None or (time - _EPOCH) // _MICROSECOND > latest_us:
        raise RejectedError(Reason.FUTURE_TIME)
    return time


def _layout_of(value: bytes) -> str:
    """Return the layout of a time in any (`formats.times.ANY`)."""
    if iso := re.fullmatch(rb"\d{4}([-/]).{5}([T ])[^Z+-]*([Z+-].*)?+", value, re.DOTALL):
        dash = iso[1].decode()
        return f"%Y{dash}%m{dash}%d{iso[2].decode()}%H:%M:%S%f" + ("%z" if iso[3] else "")
    digits = len(value) - len(value.lstrip(b"0123456789"))
    if digits > 2:
        return next((unit for most, unit in ((11, "s"), (14, "ms"), (17, "us")) if digits <= most), "ns")
    return CLF


@lru_cache
def _pattern(layout: str) -> tuple[re.Pattern[bytes], str]:
    pattern, letters = b"", ""
    for found in re.finditer(r"%(.)|(.)", layout, re.DOTALL):
        if found[1] and found[1] != "%":
            pattern, letters = pattern + _LETTERS[found[1]], letters + found[1]
        else:
            pattern += re.escape((found[1] or found[2]).encode())
    return re.compile(pattern), letters


def _clock(value: bytes, layout: str) -> int:
    """Return the microseconds that a time, or a part of one, stands for."""
    pattern, letters = _pattern(layout)
    if not (found := pattern.fullmatch(value)):
        raise RejectedError(Reason.BAD_TIME)
    part: dict[str, int] = dict.fromkeys("YmdHMSfz", 0) | {"Y": 1970, "m": 1, "d": 1}
    for letter, text in zip(letters, found.groups(), strict=True):
        match letter:
            case "b":
                part["m"] = _MONTHS.index(text) + 1
            case "y":
                part["Y"] = int(text) + (1900 if int(text) >= 69 else 2000)
            case "f":
                part["f"] = int((text or b"0")[:6].ljust(6, b"0"))
            case "z":
                digits = text[1:].replace(b":", b"").ljust(4, b"0")
                hours, minutes = int(digits[:2]), int(digits[2:])
                if hours > 23 or minutes > 59:
                    raise RejectedError(Reason.BAD_TIME)
                part["z"] = (hours * 60 + minutes) * (-60 if text[:1] == b"-" else 60)
            case "a":
                pass
            case _:
                part[letter] = int(text)
    if not 1970 <= part["Y"] <= 9998 or part["H"] > 23 or part["M"] > 59 or part["S"] > 60:
        raise RejectedError(Reason.BAD_TIME)
    try:
        day = datetime(part["Y"], part["m"], part["d"], tzinfo=UTC) - _EPOCH
    except ValueError:
        raise RejectedError(Reason.BAD_TIME) from None
    # a leap second is the next minute's first
    clock = timedelta(hours=part["H"], minutes=part["M"], seconds=part["S"] - part["z"], microseconds=part["f"])
    return (day + clock) // _MICROSECOND


def _request(line: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Return (method, path, query, host, protocol) of a request line; all empty where it is not HTTP (RFC 9112, 3)."""
    nothing = (b"", b"", b"", b"", b"")
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
    return method, *_url(target), protocol


def _url(target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return (path, query, host)."""
    host = b""
    if scheme := _SCHEME.match(target):  # absolute form, as proxies get it
        rest = target[scheme.end() :]
        authority = re.match(rb"[^/?#]*", rest)
        assert authority is not None
        host = authority[0]
        target = rest[authority.end() :]
        if not target.startswith(b"/"):
            target = b"/" + target
    target = target.partition(b"#")[0]
    path, _, query = target.partition(b"?")
    return path, query, host


def _address(value: bytes, layout: str) -> bytes:
    """Return an address without brackets and without its port."""
    found = re.fullmatch(rb"\[(.*)\](?::[0-9]*)?", value, re.DOTALL)
    if found:
        return found[1]
    ported = re.fullmatch(rb"(.*):[0-9]*" if layout == "port" else rb"([^:]*):[0-9]*", value, re.DOTALL)
    return ported[1] if ported else value


def _host(referer: bytes) -> bytes:
    scheme = _SCHEME.match(referer)
    if not scheme:
        return b""
    found = re.match(rb"[^/?#]*", referer[scheme.end() :])
    assert found is not None
    return found[0]

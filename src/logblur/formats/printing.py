"""Values to a line of a format: what `parse` reads from it are these values again."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from logblur.formats import UNITS, Escape, Field, Format, Kind

Value = str | int | datetime | None


def print_line(form: Format, values: Mapping[str, Value]) -> bytes:
    """Return the line, without its newline, that holds these values by column; ``-`` for one that is not there.

    A text that its field cannot hold (a space where a space ends it, and no quotes) makes a line that reads otherwise.
    Ports are made up; what stands in fields that no column takes is the text of the empty name.
    """
    line = form.literals[0]
    for field, literal in zip(form.fields, form.literals[1:], strict=True):
        line += _printed(field, values) + literal
    return line


def escaped(text: str | None, escape: Escape) -> bytes:
    """Return the bytes that `parse.text.text_of` reads this text from by the escape; ``-`` for None."""
    if text is None:
        return b"-"
    raw = text.encode("utf-8", "surrogateescape")
    match escape:
        case Escape.BACKSLASH:
            return re.sub(rb"[^ !#-\[\]-~]", lambda m: b"\\x%02X" % m[0][0], raw)
        case Escape.JSON:
            return json.dumps(text)[1:-1].encode()
        case Escape.PERCENT:
            return re.sub(rb"[^!#$&-*,-~]", lambda m: b"%%%02X" % m[0][0], raw)
        case Escape.DOUBLED:
            return raw.replace(b'"', b'""')
        case Escape.NONE:
            return raw


def _printed(field: Field, values: Mapping[str, Value]) -> bytes:
    match field.kind:
        case Kind.TIME if field.name:
            time = values["time"]
            assert isinstance(time, datetime)
            return _time(time, field.layout).encode()
        case Kind.DURATION if field.name and isinstance(us := values.get(field.name), int):
            return number(us, UNITS[field.layout]).encode()
        case Kind.STATUS | Kind.SIZE | Kind.DURATION:
            value = values.get(field.name)
            return b"-" if value is None else str(value).encode()
        case Kind.REQUEST if field.name and values.get("method") is not None:
            host = values.get("host") if field.name == "absolute_request" else None
            return escaped(
                f"{values['method']} {_url(values, host)} {values.get('protocol') or 'HTTP/1.1'}", field.escape
            )
        case Kind.URL if field.name and (values.get("path") is not None or values.get("query") is not None):
            return escaped(_url(values, values.get("host") if field.name == "url" else None), field.escape)
        case Kind.ADDRESS if field.name and isinstance(address := values.get(field.name), str):
            bracketed = ":" in address and field.layout != "port"
            return f"[{address}]:443".encode() if bracketed else f"{address}:443".encode()
        case Kind.TEXT if isinstance(text := values.get(field.name), str):
            quotes = b'"' if field.quoted and field.escape is Escape.DOUBLED else b""
            return quotes + escaped(text, field.escape) + quotes
    return b"-"


def _url(values: Mapping[str, Value], host: Value) -> str:
    query = values.get("query")
    return f"{f'http://{host}' if host else ''}{values.get('path') or ''}{'' if query is None else f'?{query}'}"


def number(us: int, power: int) -> str:
    """Return microseconds in a unit of ten to the power of them."""
    if power <= 0:
        return str(us * 10**-power)
    return f"{us // 10**power}.{us % 10**power:0{power}}"


def _time(time: datetime, layout: str) -> str:
    time = time.astimezone(UTC)
    us = int(time.timestamp()) * 1_000_000 + time.microsecond
    if layout in UNITS:
        return number(us, UNITS[layout])
    if layout.removeprefix("+") in UNITS:
        return number(time.microsecond, UNITS[layout[1:]])
    return time.strftime(layout.replace("%f", f".{time.microsecond:06}"))

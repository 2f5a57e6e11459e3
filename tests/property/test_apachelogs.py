"""Apache LogFormat strings against `apachelogs`, a parser that we did not write, on the directives that it knows.

Known differences, each avoided or allowed for below:

- apachelogs undoes escapes byte by byte, as Latin-1; here the bytes are UTF-8.
- It puts no time together from ``begin:`` and ``end:`` tokens; here they are parts of the one time.
- It has no parts of a request line; here ``%r`` is method, path, query and protocol.
- It refuses what is no address in ``%a``; here no address refuses a line, so ``%a`` is not among the directives below.
- ``%l``, ``%A``, ``%k``, ``%X``, ``%p``, ``%P``, ``%f`` and ``%L`` have values there; here they are stepped over.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apachelogs import InvalidEntryError, LogParser
from hypothesis import given
from hypothesis import strategies as st

from logblur.formats import resolve_format
from logblur.parse import parse
from logblur.schema import Block

LATEST = 1_900_000_000_000_000
STAMP = datetime(2026, 5, 17, 10, 5, 3, tzinfo=UTC)

# directive -> values it can be logged with, what apachelogs calls it, and the column here
DIRECTIVES = {
    "%h": (["192.0.2.7", "2001:db8::1", "host.example.com"], lambda e: e.remote_host, "remote_addr"),
    "%u": (["-", "anna"], lambda e: e.remote_user, "remote_user"),
    "%v": (["www.example.com"], lambda e: e.virtual_host, "host"),
    "%m": (["GET", "POST"], lambda e: e.request_method, "method"),
    "%U": (["/", "/a/b.html"], lambda e: e.request_uri, "path"),
    "%H": (["HTTP/1.1", "HTTP/2.0"], lambda e: e.request_protocol, "protocol"),
    "%s": (["200", "404"], lambda e: e.status, "status"),
    "%>s": (["304", "500"], lambda e: e.final_status, "status"),
    "%b": (["-", "5", "123456789012"], lambda e: e.bytes_sent, "bytes_sent"),
    "%B": (["0", "5"], lambda e: e.bytes_sent, "bytes_sent"),
    "%O": (["0", "512"], lambda e: e.bytes_out, "bytes_sent"),
    "%I": (["0", "512"], lambda e: e.bytes_in, "bytes_received"),
    "%D": (["0", "1234567"], lambda e: e.request_duration_microseconds, "duration"),
    "%{us}T": (["7", "89"], lambda e: e.request_duration_microseconds, "duration"),
    "%{ms}T": (["7", "89"], lambda e: e.request_duration_milliseconds * 1000, "duration"),
    "%T": (["0", "3"], lambda e: e.request_duration_seconds * 1_000_000, "duration"),
    '"%{Referer}i"': (["-", "https://www.example.org/a?b"], lambda e: e.headers_in["Referer"], "referer"),
    '"%{User-Agent}i"': (["-", "curl/8.0", 'a \\"b\\" c', "x\\ty"], lambda e: e.headers_in["User-Agent"], "user_agent"),
    '"%{X-Forwarded-For}i"': (
        ["-", "192.0.2.1, 192.0.2.2"],
        lambda e: e.headers_in["X-Forwarded-For"],
        "forwarded_for",
    ),
    '"%{Cookie}i"': (["-", "a=b; c=d"], lambda e: e.headers_in["Cookie"], "cookies"),
    '"%{Content-Type}o"': (["-", "text/html"], lambda e: e.headers_out["Content-Type"], "sent_http_content_type"),
    '"%{sid}C"': (["-", "0123"], lambda e: e.cookies["sid"], "cookie_sid"),
    '"%{VAR}e"': (["-", "x"], lambda e: e.env_vars["VAR"], "env_var"),
    '"%{n}n"': (["-", "x"], lambda e: e.notes["n"], "note_n"),
}
TIMES = {
    "%t": lambda t: f"[{t:%d/%b/%Y:%H:%M:%S} +0000]",
    "%{sec}t": lambda t: str(int(t.timestamp())),
    "%{msec}t": lambda t: f"{int(t.timestamp())}{t.microsecond // 1000:03}",
    "%{usec}t": lambda t: f"{int(t.timestamp())}{t.microsecond:06}",
    "%{%Y-%m-%d %H:%M:%S %z}t": lambda t: f"{t:%Y-%m-%d %H:%M:%S} +0000",
    "%{%d/%b/%Y %T}t.%{msec_frac}t %{%z}t": lambda t: f"{t:%d/%b/%Y %T}.{t.microsecond // 1000:03} +0000",
}
SKIPPED = {"%l": "-", "%A": "192.0.2.1", "%k": "0", "%X": "+", "%p": "443", "%P": "4711", "%f": "/srv/x", "%L": "-"}


@st.composite
def cases(draw):
    """A LogFormat, a line in it, and what is expected where."""
    chosen = draw(st.lists(st.sampled_from(sorted(DIRECTIVES)), min_size=1, max_size=8, unique=True))
    taken, parts = set(), []
    for directive in chosen:
        values, of, column = DIRECTIVES[directive]
        if column not in taken:
            taken.add(column)
            value = draw(st.sampled_from(values))
            parts.append((directive, f'"{value}"' if directive.startswith('"') else value, of, column))
    time = STAMP + timedelta(seconds=draw(st.integers(0, 10**7)))
    moment = draw(st.sampled_from(sorted(TIMES)))
    parts.insert(draw(st.integers(0, len(parts))), (moment, TIMES[moment](time), lambda e: e.request_time, "time"))
    for directive in draw(st.lists(st.sampled_from(sorted(SKIPPED)), max_size=2, unique=True)):
        parts.insert(draw(st.integers(0, len(parts))), (directive, SKIPPED[directive], None, ""))
    return (
        " ".join(p[0] for p in parts),
        " ".join(p[1] for p in parts),
        [(of, column) for _, _, of, column in parts if of],
    )


@given(case=cases())
def test_every_directive_means_what_apachelogs_says(case):
    """Each directive's value is the one that apachelogs reads, in any order of directives."""
    definition, line, told = case
    expected = LogParser(definition).parse(line)
    columns = [column for _, column in told]
    parsed = parse([Block.of(line.encode())], resolve_format(definition), columns, latest_us=LATEST)
    (row,) = parsed.batch.to_pylist()
    for of, column in told:
        value = of(expected)
        assert row[column] == (value.astimezone(UTC) if isinstance(value, datetime) else value), column


@pytest.mark.parametrize(
    ("definition", "line"),
    [
        ('%h %l %u %t "%r" %>s %b', '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200'),
        ('%h %l %u %t "%r" %>s %b', '192.0.2.7 - - [17/Mai/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5'),
        ('%h %l %u %t "%r" %>s %b', '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 x'),
        ('%h %l %u %t "%r" %>s %b', '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1 200 5'),
        ('%h %l %u %t "%r" %>s %b', '192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 20x 5'),
        ('%h %t "%{User-Agent}i" %>s', '192.0.2.7 [17/May/2026:10:05:03 +0000] "a\\" 200'),
    ],
)
def test_both_refuse(definition, line):
    """Lines that apachelogs refuses are refused."""
    with pytest.raises((InvalidEntryError, ValueError)):
        LogParser(definition).parse(line)
    assert len(parse([Block.of(line.encode())], resolve_format(definition), (), latest_us=LATEST).reject_offsets) == 1

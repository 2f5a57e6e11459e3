"""JSON lines: the kernel against the slow reference, and the reference against Python's own parser."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.formats import resolve_format
from logblur.formats.json import NAMED, compile_mapping, named
from logblur.parse import parse, reference
from logblur.parse.json_reference import read_object
from logblur.schema import Block

from .strategies import NOISE
from .test_parse import as_rows

LATEST = 1_900_000_000_000_000
MAPPING = {
    "time": ["t", "deep.er.time", "a.time"],
    "remote_addr": ["request.client_ip", "request.client"],
    "url": "request.uri",
    "method": "m",
    "status": "status",
    "bytes_sent": "size",
    "duration_ms": "a_key_of_more_than_thirty-two_bytes_in_all",
    "referer": "request.headers.Referer",
    "user_agent": "request.headers.User-Agent",
    "http_x_a": "a_key_of_more_than_thirty-two_bytes_in_alp",
    "cookies": 'odd\\.key"é',
}
KEYS = ["t", "deep", "er", "time", "a", "request", "client_ip", "client", "uri", "m", "status", "size", "headers",
        "Referer", "User-Agent", "a_key_of_more_than_thirty-two_bytes_in_all",
        "a_key_of_more_than_thirty-two_bytes_in_alp", 'odd.key"é', "other", ""]  # fmt: skip
TIMES = [
    "2026-05-17T10:05:03Z", "2026-05-17T10:05:03.1234567+02:00", "2026-03-29 03:30:00", "2026-10-25T03:30:00.5",
    "2026-05-17 10:05:03 +0000", "2026-05-17T24:05:03Z", "2026-05-17T", "2026-05-17", "2026- 5-17T10:05:03Z",
    "17/May/2026:10:05:03 +0000", "[17/May/2026:10:05:03 +0000]", "[17/May/2026:10:05:03 +0000", "[", "[]",
    "1779012303", "1779012303.123", "1779012303123", "1779012303123456", "1779012303123456789", "12", "123",
    "1779012303.1.2", "-5", "99999999999999999999", "1779-12303123", "2199-01-01T00:00:00Z", "1969-12-31T23:59:59Z",
]  # fmt: skip
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 1 << 70), st.floats(0, 1e9), st.text(max_size=8),
    st.sampled_from([*TIMES, 1779012303, 1779012303.5, 200, "404", "099", "-", "", "/a?b#c", "https://example.com/x?y",
                     "192.0.2.7", "[2001:db8::1]:443", "\x00\x1f\x7f", "\ud800", "😀", "a" * 40]),
)  # fmt: skip
OBJECTS = st.dictionaries(
    st.sampled_from(KEYS),
    st.recursive(
        SCALARS,
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(KEYS), x, max_size=5),
        max_leaves=20,
    ),
    max_size=12,
)
PIECES = [b'"', b"\\", b'\\"', b"{", b"}", b"[", b"]", b",", b":", b"null", b"nul", b"-", b" ", b"\t", b"\r", b"\x00",
          b"#", b'"t":', b'"t":12', b"\\x41", b"\\u00e9", b"\xff", b'{"t":"2026-05-17T10:05:03Z"}', b"[" * 40,
          b'{"a":' * 40]  # fmt: skip


@st.composite
def lines(draw):
    """Objects of servers, plausible, odd and broken, behind a carrier's prefix or not."""
    value = draw(OBJECTS)
    if draw(st.booleans()):
        value = {"t": draw(st.sampled_from(TIMES))} | value
    text = json.dumps(
        value, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([(",", ":"), (", ", " : ")]))
    )
    line = text.encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        line = line.replace(
            draw(st.sampled_from([b'"status"', b'"request"', b'"m"'])),
            draw(st.sampled_from([b'"t"', b'"uri"', b'"a"'])),
        )
    line = (
        draw(st.sampled_from([b"", b"", b"caddy | ", b" ", b"x", b"#", b"\xef\xbb\xbf#", b"\0\0"]))
        + line
        + draw(st.sampled_from([b"", b"\r", b" ", b"x"]))
    )
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(line)))
        line = line[:at] + draw(st.sampled_from(PIECES)) + line[at + draw(st.integers(0, 9)) :]
    return line.replace(b"\n", b"?")


@pytest.mark.parametrize("marker", ["", "request", "status"])
@given(logs=st.lists(lines() | NOISE, max_size=8), limit=st.sampled_from([60, 65536]))
def test_kernel_and_reference_agree(marker, logs, limit):
    """For any lines, rows, values, reject reasons, offsets and directives are equal."""
    form = compile_mapping(MAPPING, marker=marker)
    block = Block.of(b"".join(x.replace(b"\n", b"?") + b"\n" for x in logs), offset=1 << 40)
    limits = {"latest_us": LATEST, "max_line_bytes": limit, "local": ZoneInfo("Europe/Riga")}
    fast = parse([block], form, form.columns, **limits)
    slow = reference.parse([block], form, fast.batch.schema.names, **limits)
    assert (*as_rows(fast), fast.directives) == (slow.rows, slow.rejects, slow.directives)


@given(logs=st.lists(lines() | NOISE, max_size=8), marker=st.sampled_from(["", "request", "status"]))
def test_objects_among_other_lines_are_told_as_the_reference_tells_them(logs, marker):
    """Of lines that another format refused each is a row, a reject or a directive: none is lost."""
    form = replace(resolve_format("combined"), alternatives=(compile_mapping(MAPPING, marker=marker),))
    other = b'192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "-"'
    logs = [x.replace(b"\n", b"?") for x in [*logs, b'{"level":"error","msg":"x"}']] + [other] * 30
    limits = {"latest_us": LATEST, "max_line_bytes": 65536}
    fast = parse([Block.of(b"\n".join(logs))], form, form.columns, **limits)
    slow = reference.parse([Block.of(b"\n".join(logs))], form, fast.batch.schema.names, **limits)
    rows, rejects = as_rows(fast)
    assert Counter(tuple(row.items()) for row in rows) == Counter(tuple(row.items()) for row in slow.rows)
    assert (rejects, fast.directives) == (slow.rejects, slow.directives)
    assert fast.rows + len(rejects) + fast.directives == len(logs)


def _read(value):
    """What the reference made of a value, unescaped."""
    match value:
        case dict():
            return {_read(k): _read(v) for k, v in value.items()}
        case list():
            return [_read(v) for v in value]
    return json.loads(b'"%b"' % value)


def _expected(value):
    """What Python's parser made of a value, words and numbers as they stand."""
    match value:
        case dict():
            return {k: _expected(v) for k, v in value.items()}
        case list():
            return [_expected(v) for v in value]
    return {None: "", True: "true", False: "false"}.get(value, value)


@given(value=OBJECTS)
def test_the_reference_reads_what_another_parser_reads(value):
    """Any JSON object, as Python writes it, has the keys and values that Python reads from it."""
    text = json.dumps(value)
    assert _read(read_object(text.encode())) == _expected(json.loads(text, parse_int=str, parse_float=str))


@pytest.mark.parametrize("name", sorted(NAMED))
def test_named_formats_compile_and_read_their_own_keys(name):
    """A line that holds every key that a named format looks for yields all of its columns."""
    form, mapping = named(name), NAMED[name].mapping
    line: dict = {}
    samples = {
        "time": 1779012303,
        "status": 200,
        "bytes_sent": 5,
        "bytes_received": 6,
        "url": "https://example.com/a?b",
    }
    for column, paths in (mapping | {"": NAMED[name].marker}).items():
        for path in [paths] if isinstance(paths, str) else paths:
            *above, last = path.split(".")
            place = line
            for key in above:
                place = place.setdefault(key, {})
            if last in place:
                continue
            value = 1 if column.startswith("duration") else samples.get(column, "/a?b")
            place[last] = [value] if "eaders" in path else value
    parsed = parse([Block.of(json.dumps(line).encode())], form, form.columns, latest_us=LATEST)
    assert parsed.rows == 1
    (row,) = parsed.batch.to_pylist()
    assert {name for name, value in row.items() if value is None} <= {"referer_host"}

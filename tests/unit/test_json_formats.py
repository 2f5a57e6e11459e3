"""Mappings of JSON keys: what they come to, and what is refused."""

from __future__ import annotations

import json

import pytest

from logblur.errors import FormatError, PolicyError
from logblur.formats.json import compile_mapping, read_mapping
from logblur.parse import parse
from logblur.policy.load import decode
from logblur.schema import Block

LATEST = 1_900_000_000_000_000
POLICY = """
version = 1
name = "mine"
purpose = "audience measurement"
legal_basis = "legitimate-interests"
retention = "25 months"
[input]
{}
[fields]
time = {{ method = "hour" }}
remote_addr = {{ method = "drop" }}
"""


def rows(mapping, *lines):
    """The rows that some objects or texts come to."""
    form = compile_mapping(mapping)
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return parse([Block.of(text.encode())], form, form.columns, latest_us=LATEST).batch.to_pylist()


def row(mapping, line):
    """The one row of an object."""
    (found,) = rows(mapping | {"time": "t"}, line | {"t": 1_779_012_303})
    return {name: value for name, value in found.items() if name != "time" and value is not None}


def test_the_first_key_that_says_something_counts() -> None:
    """Of several keys for one column, those that are missing, null, empty or objects are passed over."""
    mapping = {"user_agent": ["a", "b.c", "b.d", "e", "f"]}
    assert row(mapping, {"a": None, "b": {"c": "", "d": {}}, "e": ["x", "y"], "f": "z"}) == {"user_agent": "x"}


def test_of_equal_keys_the_last_counts() -> None:
    """A key that comes again takes back all that stood under its first appearance, as JSON parsers do."""
    mapping = {"time": "t", "host": "r.host", "method": "r.method"}
    (found,) = rows(mapping, '{"t":1779012303,"r":{"host":"a.example","method":"GET"},"r":{"method":"PUT"}}')
    assert (found["host"], found["method"]) == (None, "PUT")


def test_a_path_with_its_query_is_taken_apart() -> None:
    """What a key holds never takes a query string into the path; a host of its own goes before the URL's."""
    uri = {"u": "https://www.example.com/a?b=c", "q": "d=e", "h": "example.org"}
    url = {"path": "/a", "query": "b=c", "host": "www.example.com"}
    assert row({"url": "u"}, uri) == url
    assert row({"url": "u", "host": "h"}, uri) == url | {"host": "example.org"}
    assert row({"path": "u"}, uri) == {"path": "/a", "query": "b=c"}
    assert row({"path": "u", "query": "q"}, uri) == {"path": "/a", "query": "d=e"}


def test_times_lack_a_zone_or_have_one() -> None:
    """A clock without a zone is in ``log_timezone``; one with a zone, and a number, is not."""
    times = ["2026-05-17 10:05:03", "2026-05-17T10:05:03Z", "17/May/2026:10:05:03 +0000", 1_779_012_303_000]
    found = [r["time"].isoformat() for r in rows({"time": "t"}, *({"t": t} for t in times))]
    assert found == ["2026-05-17T10:05:03+00:00"] * 4


def test_escapes_are_undone() -> None:
    r"""``\uXXXX`` with surrogate pairs, and nginx's ``\xHH``, are the text they stand for; a lone surrogate is not."""
    mapping = {"time": "t", "user_agent": "u"}
    line = r'{"t":1779012303,"u":"%s"}'
    assert rows(mapping, line % r"F\xc3\xbatbol \ud83d\ude00 \u00e9\/\"\\")[0]["user_agent"] == 'Fútbol 😀 é/"\\'
    assert rows(mapping, line % r"\ud800")[0]["user_agent"] == "\\ud800"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"host": "h"}, "no time"),
        ({"time": "t", "Host": "h"}, "no name of a column"),
        ({"time": "t", "url": "u", "path": "p"}, "already"),
        ({"time": "t", "duration": "d", "duration_ms": "d2"}, "already"),
        ({"time": "t", "host": "t"}, "twice"),
        ({"time": "t", "host": ["h", "h"]}, "twice"),
        ({"time": "t", "host": "t.h"}, "inside"),
        ({"time": "t", "host": ""}, "empty"),
        ({"time": "t", "host": "a..b"}, "empty"),
        ({"time": "t", "host": 5}, "a path"),
        ({"time": "t", "host": []}, "a path"),
        ({}, "column to path"),
        ([], "column to path"),
    ],
)
def test_a_wrong_mapping_is_refused(mapping, words) -> None:
    """What says one thing twice, names no time, or is no mapping is an error that says why."""
    with pytest.raises(FormatError, match=words):
        read_mapping(json.dumps(mapping))


def test_a_policy_takes_a_mapping_as_its_format() -> None:
    """A table of column to path under ``[input] format`` is the text that `read_mapping` reads."""
    policy = decode(POLICY.format('format = { time = "ts", host = ["a.b", "c"] }').encode())
    assert read_mapping(policy.input.format).keys == (("ts",), ("a.b", "c"))
    for wrong in ("{ time = 5 }", "{ time = 't', host = 't' }", "{ host = 'h' }"):
        with pytest.raises(PolicyError) as caught:
            decode(POLICY.format(f"format = {wrong}").encode())
        assert caught.value.path == "input.format"


@pytest.mark.parametrize("bytes_", [1023, 1 << 21])
def test_lines_are_limited_within_reason(bytes_) -> None:
    """``max_line_bytes`` is at least a request line and less than a block."""
    assert decode(POLICY.format("max_line_bytes = 8192").encode()).input.max_line_bytes == 8192
    with pytest.raises(PolicyError, match="max_line_bytes"):
        decode(POLICY.format(f"max_line_bytes = {bytes_}").encode())

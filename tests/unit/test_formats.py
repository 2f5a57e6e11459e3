"""Definitions of formats: what is compiled, and what is refused at which place."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from logblur.errors import FormatError
from logblur.formats import Kind, resolve_format
from logblur.parse import parse
from logblur.schema import Block
from logblur.sources.blocks import BlockReader
from logblur.sources.find import Log
from logblur.sources.open import open_log

LATEST = 1_900_000_000_000_000


def names(text: str) -> list[str]:
    """The columns that the fields of a definition yield, empty for what is stepped over."""
    return [field.name for field in resolve_format(text).fields]


def rows(text: str, lines: bytes, columns: list[str]):
    """What lines in a format hold."""
    return parse([Block.of(lines)], resolve_format(text), columns, latest_us=LATEST).batch.to_pylist()


def test_what_is_logged_twice_is_read_once() -> None:
    """Of a request line and its parts, and of two addresses, the first counts; parts alone all count."""
    assert names('%h %a %t "%r" %m %U') == ["remote_addr", "", "time", "request", "", ""]
    assert names('%h %t %m %U %H "%r"') == ["remote_addr", "time", "method", "path", "protocol", ""]
    assert names("%t %{msec}t %{msec_frac}t") == ["time", "", "time"]  # a fraction adds to the first


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("%h%u %t", 2), ("%h %Y %t", 3), ("%h %{x} %t", 3), ("%h %l %u", None), ("nonsense", None), ("%h %t %", 6),
        ("%h %{%Y-%M-%dT%H:%M}t", 3), ("%h %{%D %Y}t", 3),
        ("%h %{%Q}t", 3), ("%h %{x}t", 3), ("%h\n%t", None), ("$remote_addr$host $time_local", 12), ("$host", None),
        ("log_format x '$time_local", 25), ("log_format x '$time_local'", 26), ("#Fields: c-ip", None),
        ("#Fields: time c-ip", None),
    ],
)  # fmt: skip
def test_a_wrong_format_is_refused_with_its_place(text: str, position: int | None) -> None:
    """What runs together, is unknown, does not end or has no time is refused."""
    with pytest.raises(FormatError) as caught:
        resolve_format(text)
    assert caught.value.position == position


def test_lines_of_a_configuration_are_taken_as_they_stand() -> None:
    """The string, the line it stands in, and its escaped quotes mean the same."""
    plain = resolve_format('%h %t "%r" %>s')
    for line in (
        r'LogFormat "%h %t \"%r\" %>s" mine',
        r'  CustomLog logs/access_log "%h %t \"%r\" %>s"',
        r"%h %t \"%r\" %>s",
    ):
        assert resolve_format(line).fields == plain.fields
        assert resolve_format(line).literals == plain.literals


def test_every_directive_of_apache_is_known() -> None:
    """Each directive of mod_log_config, mod_logio and mod_ssl compiles, with any of its modifiers."""
    plain = "a A b B D f h H k l L m p P q r R s t T u U v V X I O S ^FB".split()
    named = (
        "%{c}a %{c}h %{x}C %{X}e %{X-Y}i %{n}n %{X}o %{local}p %{tid}P %{ms}T %{SSL_CIPHER}x %{T}^ti %{T}^to".split()
    )
    text = " ".join([*(f"%{x}" for x in plain), *named, "%>s %<s %!200,304{Referer}i %400,501{User-agent}i %%"])
    found = {field.name for field in resolve_format(text).fields}
    assert found >= {
        "http_x_y",
        "sent_http_x",
        "cookie_x",
        "env_x",
        "note_n",
        "ssl_cipher",
        "referer",
        "user_agent",
        "path",
    }


def test_a_statement_of_nginx_is_taken_in_as_many_lines_as_it_has() -> None:
    """Quotes of both kinds, comments between the pieces, an escape, variables in braces."""
    text = """log_format  main escape=json  # ours
        '{"time":"$time_iso8601","addr":"${remote_addr}",'
        # what was asked for
        "\\"uri\\":\\"$request_uri\\",\\"status\\":$status}";
    """
    line = rb'{"time":"2026-05-17T10:05:03+03:00","addr":"192.0.2.7","uri":"/\u00e9?a=\"b\"","status":404}'
    assert rows(text, line, ["time", "remote_addr", "path", "query", "status"]) == [
        {"time": datetime(2026, 5, 17, 7, 5, 3, tzinfo=UTC), "remote_addr": "192.0.2.7", "path": "/é", "query": 'a="b"',
         "status": 404}
    ]  # fmt: skip


def test_variables_that_touch_are_told_apart_where_they_can_be() -> None:
    """A path and its query, a scheme, host and path."""
    line = b"17/May/2026:10:05:03 +0000 https://www.example.com/a?b=c"
    assert rows("$time_local $scheme://$host$request_uri", line, ["host", "path", "query"]) == [
        {"host": "www.example.com", "path": "/a", "query": "b=c"}
    ]
    assert names("$time_local $uri$is_args$args") == ["time", "target"]
    assert names("%t %U%q") == ["time", "target"]


def test_lists_of_upstreams_are_one_field() -> None:
    """Commas and colons with spaces around them do not end a list."""
    text = "$time_local $upstream_addr $upstream_status $status"
    line = b"17/May/2026:10:05:03 +0000 192.0.2.1:80, 192.0.2.2:80 : unix:/x 502, 502 : 200 200"
    (row,) = rows(text, line, ["upstream_addr", "upstream_status", "status"])
    assert row == {
        "upstream_addr": "192.0.2.1:80, 192.0.2.2:80 : unix:/x", "upstream_status": "502, 502 : 200", "status": 200,
    }  # fmt: skip


W3C = b"""#Software: Microsoft Internet Information Services 10.0
#Version: 1.0
#Date: 2026-05-17 00:00:00
#Fields: time c-ip cs-method cs-uri-stem sc-status cs(User-Agent) time-taken s-port
10:05:03 192.0.2.7 GET /a 200 Mozilla/5.0+(x) 1500 80
#Date: 2026-05-18 00:00:00
10:05:03 192.0.2.7 GET /b 304 - - 80
#Fields: date time c-ip cs-uri cs-host sc-status
2026-05-19 10:05:03 2001:db8::1 https://a.example/c?d "www.example.com" 404
#Fields: nothing that has a time
2026-05-20 10:05:03 192.0.2.7
"""


def test_the_fields_of_a_w3c_log_may_change() -> None:
    """``#Fields`` and ``#Date`` hold until the next, wherever blocks are cut; no field of another layout is made up."""
    columns = ["time", "remote_addr", "path", "query", "status", "host", "user_agent", "duration"]
    parsed = parse([Block.of(W3C)], resolve_format("w3c"), columns, latest_us=LATEST)
    found = [[row[name] for name in columns[1:]] for row in parsed.batch.to_pylist()]
    assert found == [
        ["192.0.2.7", "/a", None, 200, None, "Mozilla/5.0 (x)", 1_500_000],
        ["192.0.2.7", "/b", None, 304, None, None, None],
        ["2001:db8::1", "/c", "d", 404, "a.example", None, None],
    ]
    assert [row["time"].day for row in parsed.batch.to_pylist()] == [17, 18, 19]
    assert parsed.directives == 7
    assert len(parsed.reject_offsets) == 1


@pytest.mark.parametrize("start", [k for k, byte in enumerate(W3C, 1) if byte == 10])
def test_a_w3c_log_that_has_grown_is_read_on_under_its_directives(tmp_path, start: int) -> None:
    """From any line on, what was in force there is found again."""
    path = tmp_path / "u_ex.log"
    path.write_bytes(W3C)
    columns = ["time", "remote_addr", "path", "status"]
    whole = parse([Block.of(W3C)], resolve_format("w3c"), columns, latest_us=LATEST).batch.to_pylist()
    with open_log(Log(path)) as content:
        reader = BlockReader(content, start=start)
        block = reader.read()
        if block is None:
            return
        parsed = parse([reader.follow_directives(block)], resolve_format("w3c"), columns, latest_us=LATEST)
    rest = parsed.batch.to_pylist()
    assert rest == whole[len(whole) - len(rest) :]
    assert len(rest) == sum(
        at >= start
        for at in (W3C.find(b"10:05:03 192.0.2.7 GET /a"), W3C.find(b"GET /b") - 19, W3C.find(b"2026-05-19"))
    )


def test_plus_and_percent_are_undone_where_servers_write_them() -> None:
    """IIS writes a plus for a space, CloudFront %20 or %2520; paths stay as they are."""
    text = "#Fields: date time c-ip cs-uri-stem cs(User-Agent)"
    cells = (b"/a+b%20c x+y", b"/ x%20+y", b"/ x%2520y")
    lines = b"".join(b"2026-05-17 10:05:03 192.0.2.7 %b\n" % x for x in cells)
    assert [(row["path"], row["user_agent"]) for row in rows(text, lines, ["path", "user_agent"])] == [
        ("/a+b%20c", "x y"), ("/", "x +y"), ("/", "x y"),
    ]  # fmt: skip


def test_times_without_a_zone_are_of_the_log_timezone() -> None:
    """IIS native and HAProxy log local time; W3C is UTC by definition."""
    assert resolve_format("iis_native").local_time
    assert resolve_format("haproxy_http").local_time
    assert resolve_format("%h %{%Y-%m-%d %T}t").local_time
    assert not resolve_format("iis_w3c").local_time


def test_a_request_line_that_is_none_is_a_row() -> None:
    """TLS bytes, a dash, nothing: time and status count; there is no method."""
    lines = b"".join(
        b'192.0.2.7 - - [17/May/2026:10:05:03 +0000] "%b" 400 0\n' % x for x in (rb"\x16\x03\x01", b"-", b"", b"x")
    )
    assert rows("common", lines, ["method", "path", "status"]) == [{"method": None, "path": None, "status": 400}] * 4


def test_every_named_format_says_what_it_follows_and_can_be_read() -> None:
    """Each has a docstring, a time and a name; no column is told twice."""
    from logblur.formats.named import NAMED

    for name, made in NAMED.items():
        form = resolve_format(name)
        assert form.name == name
        assert (made.__doc__ or "").strip()
        told = [c for f in form.fields for c in f.columns if f.kind is not Kind.TIME]
        assert len(told) == len(set(told)), name

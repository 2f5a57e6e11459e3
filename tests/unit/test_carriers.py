"""What other programs write before a line: stepped over, and told by detection."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur.errors import FormatError
from logblur.formats import resolve_format
from logblur.formats.carriers import CARRIERS
from logblur.parse import parse, reference
from logblur.parse.detect import choose
from logblur.schema import PARSED, Block

LATEST = 1_900_000_000_000_000
LINE = (
    b'192.0.2.%d - anna [17/May/2026:10:05:03 +0200] "GET /a?b HTTP/1.1" 200 5 "https://example.org/" "x: y | z ] F "'
)
PREFIXES = {
    "syslog": b"May  7 10:05:04 web-1 nginx[123]: ",
    "syslog_pri": b"<190>May 17 10:05:04 web-1 nginx: ",
    "syslog_no_host": b"<190>May 17 10:05:04 nginx: ",
    "syslog_iso": b"2026-05-17T10:05:04.123456+02:00 web-1 nginx[1]: ",
    "syslog_5424": b"<165>1 2026-05-17T10:05:04.003Z web-1.example.com nginx 123 access - ",
    "syslog_5424_data": b'<165>1 2026-05-17T10:05:04Z web-1 nginx - - [a@32473 b="c d" e="f"] ',
    "cri": b"2026-05-17T10:05:04.123456789Z stdout F ",
    "cri_stderr": b"2026-05-17T10:05:04.123456789+02:00 stderr F ",
    "compose": b"web-1  | ",
    "kubectl": b"[pod/web-5d9c/nginx] ",
}


WRAPPED = {
    "docker": lambda line: json.dumps({"log": f"{line}\n", "stream": "stdout", "time": "2026-05-17T10:05:04.1Z"},
                                      separators=(",", ":")).replace("&", "\\u0026"),
    "json": lambda line: json.dumps({"kubernetes": {"pod_name": "web-1"}, "message": f"{line}\n", "level": "info"}),
    "quoted": lambda line: '"' + line.replace('"', '""') + '"',
    "quoted_escaped": lambda line: '"' + line.replace('"', '\\"') + '"',
    "quoted_bare": lambda line: f'"{line}"',
}  # fmt: skip


OBJECTS = {
    "docker": lambda objects: [WRAPPED["docker"](json.dumps(x)) for x in objects],
    "json": lambda objects: [WRAPPED["json"](json.dumps(x)) for x in objects],
    "records": lambda objects: [
        json.dumps({"records": objects[:3]}),
        json.dumps({"records": objects[3:]}, indent=None),
    ],
}


def rows(form, log):
    """Rows of a log, by the kernel; the reference says the same."""
    block = Block.of(log)
    fast = parse([block], form, PARSED.names, latest_us=LATEST)
    slow = reference.parse([block], form, fast.batch.schema.names, latest_us=LATEST, max_line_bytes=65536)
    assert fast.batch.to_pylist() == slow.rows
    assert fast.reject_offsets.tolist() == [at for at, _ in slow.rejects]
    return slow.rows


def test_every_carrier_has_a_sample() -> None:
    """No carrier goes untested."""
    assert PREFIXES.keys() | WRAPPED.keys() | OBJECTS.keys() == CARRIERS.keys()


@pytest.mark.parametrize("name", PREFIXES)
def test_a_carried_line_is_the_line(name: str) -> None:
    """With a carrier's prefix a line yields what it yields without, whatever of the prefix its own text repeats."""
    bare = [LINE % k for k in range(1, 9)]
    carried = b"".join(PREFIXES[name] + line + b"\r\n" for line in bare)
    expected = rows(resolve_format("combined"), b"\n".join(bare))
    assert len(expected) == 8
    assert rows(resolve_format(f"{name}:combined"), carried) == expected
    told = choose(carried, "auto")
    assert told.name == f"{name}:combined"
    assert rows(told, carried) == expected


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("format_", ["common", "combined"])
def test_a_wrapped_line_is_the_line(name: str, format_: str) -> None:
    """With a carrier around it, which writes its quotes otherwise, a line yields what it yields without."""
    line = '192.0.2.%d - - [17/May/2026:10:05:03 +0200] "GET /a?b=1&c=%d HTTP/1.1" 200 5'
    line += ' "https://a.example/" "x (y; z)"' if format_ == "combined" else ""
    bare = [line % (k, k) for k in range(1, 9)]
    carried = "".join(WRAPPED[name](x) + "\n" for x in bare).encode()
    expected = rows(resolve_format(format_), "\n".join(bare).encode())
    assert len(expected) == 8
    assert rows(resolve_format(f"{name}:{format_}"), carried) == expected
    told = choose(carried, "auto")
    assert told.name == f"{name}:{format_}"
    assert rows(told, carried) == expected


def request(k: int) -> dict[str, object]:
    """A request as a server of JSON lines logs it, with all that a carrier has to escape."""
    return {"ts": 1779012303 + k, "client_ip": f"192.0.2.{k}", "uri": f"/a?q={k}&w=\u010d", "status": 200,
            "agent": 'a "b" \\ c/d \u20ac', "tags": [{"x": "}],{"}]}  # fmt: skip


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_within_json_are_lines(name: str) -> None:
    """Each object that stands within JSON is read as if it were a line of its own, whatever its texts hold."""
    objects = [request(k) for k in range(1, 9)]
    bare = "".join(json.dumps(x) + "\n" for x in objects).encode()
    carried = "".join(x + "\n" for x in OBJECTS[name](objects)).encode()
    expected = rows(choose(bare, "auto"), bare)
    assert [row["user_agent"] for row in expected] == ['a "b" \\ c/d \u20ac'] * 8
    told = choose(carried, "auto")
    assert told.name == f"{name}:{choose(bare, 'auto').name}"
    assert rows(told, carried) == expected
    assert rows(resolve_format(told.name), carried) == expected


@pytest.mark.parametrize("name", OBJECTS)
def test_what_does_not_fit_within_json_is_a_reject_where_its_line_begins(name: str) -> None:
    """A broken line, a broken object and lines of neither are rejects at the place of the log's own line."""
    good = OBJECTS[name]([request(k) for k in range(1, 6)])
    lines = [*good, "{", '{"log":"x', '{"records":[{"ts":1},{]}', "x", "", *good]
    log = "".join(x + "\n" for x in lines).encode()
    form = choose("".join(x + "\n" for x in good).encode(), "auto")
    found = parse([Block.of(log, 1000)], form, ["remote_addr"], latest_us=LATEST)
    begins = {1000 + len("".join(x + "\n" for x in lines[:k])) for k in range(len(lines))}
    assert found.rows == 10
    assert len(found.reject_offsets) >= 4
    assert set(found.reject_offsets.tolist()) <= begins
    assert rows(form, log)


@given(
    st.lists(
        st.sampled_from(
            [
                b'{"log":"',
                b'\\"',
                b'"',
                b"\\\\",
                b"\\n",
                b"\n",
                b'{"records":[',
                b"]}",
                b"{",
                b"}",
                b",",
                b'{"time":1779012303,"ip":"192.0.2.7","uri":"/a"}',
                b"\0",
                b"\xff",
                b"[",
                b" ",
            ]
        )
    )
)
@pytest.mark.parametrize("name", OBJECTS)
def test_any_bytes_within_json_are_rows_or_rejects(name: str, pieces: list[bytes]) -> None:
    """Whatever stands there, kernel and definition agree."""
    form = resolve_format(f'{name}:{{"time": "time", "remote_addr": "ip", "url": "uri"}}')
    rows(form, b"".join(pieces))


def test_a_message_that_is_no_line_is_left_alone() -> None:
    """An object with a member of such a name, in which no line stands, is itself the request."""
    log = "".join(json.dumps(request(k) | {"msg": "handled request"}) + "\n" for k in range(1, 9)).encode()
    assert choose(log, "auto").wrapping == ""
    assert len(rows(choose(log, "auto"), log)) == 8


@pytest.mark.parametrize("name", PREFIXES)
def test_what_stands_before_an_object_is_no_part_of_it(name: str) -> None:
    """JSON lines are read behind any carrier without its name."""
    log = b"".join(
        PREFIXES[name]
        + json.dumps({"timestamp": 1779012303 + k, "client_ip": "192.0.2.7", "uri": "/a"}).encode()
        + b"\n"
        for k in range(5)
    )
    found = rows(choose(log, "auto"), log)
    assert [(row["remote_addr"], row["path"]) for row in found] == [("192.0.2.7", "/a")] * 5


def test_lines_with_and_without_a_carrier_mix() -> None:
    """Where some lines have a prefix and others none, no prefix is taken for a part of the client."""
    bare = [b'192.0.2.%d - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 5 "-" "x"' % k for k in range(1, 9)]
    log = b"\n".join([*bare, *(PREFIXES["syslog"] + line for line in bare)]) + b"\n"
    found = rows(choose(log, "auto"), log)
    assert sorted(row["remote_addr"] for row in found) == sorted(2 * [f"192.0.2.{k}" for k in range(1, 9)])


def test_directives_behind_a_carrier_are_refused() -> None:
    """A format that follows the log's own directives cannot find them behind a prefix, and says so."""
    with pytest.raises(FormatError, match="take the prefix off"):
        resolve_format("syslog:iis_w3c")

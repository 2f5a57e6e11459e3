"""Keys of JSON logs that are told by their names and values."""

from __future__ import annotations

import json

import pytest

from logblur.formats.json import NAMED
from logblur.formats.keys import infer_keys
from logblur.parse.detect import choose


def told(line, count=10):
    """The mapping that some like lines tell."""
    form = infer_keys([json.dumps(line).encode()] * count)
    return form and json.loads(form.name)


@pytest.mark.parametrize(
    ("line", "mapping"),
    [
        (
            {"time_iso8601": "2026-05-17T10:05:03+00:00", "remote_addr": "192.0.2.7", "request": "GET / HTTP/1.1",
             "status": "200", "body_bytes_sent": "5", "http_user_agent": "x", "http_referer": "-",
             "request_time": "0.001"},
            {"time": "time_iso8601", "remote_addr": "remote_addr", "request": "request", "status": "status",
             "bytes_sent": "body_bytes_sent", "user_agent": "http_user_agent", "referer": "http_referer",
             "duration": "request_time"},
        ),
        (
            {"timestamp": "2026-05-17T10:05:03+0000", "client_ip": "2001:db8::1", "host": "a.example", "url": "/a?b",
             "request_method": "GET", "request_referer": "", "request_user_agent": "x", "response_status": 200,
             "response_body_size": 5, "fastly_server": "cache-1"},
            {"time": "timestamp", "remote_addr": "client_ip", "host": "host", "method": "request_method", "url": "url",
             "status": "response_status", "bytes_sent": "response_body_size", "user_agent": "request_user_agent",
             "referer": "request_referer"},
        ),
        (
            {"@timestamp": 1779012303123, "source": {"ip": "192.0.2.7:80"}, "url": {"original": "/a"},
             "http": {"request": {"method": "GET"}, "response": {"status_code": 404, "body": {"bytes": 5}}},
             "user_agent": {"original": "x"}},
            {"time": "@timestamp", "remote_addr": "source.ip", "method": "http.request.method", "url": "url.original",
             "status": "http.response.status_code", "bytes_sent": "http.response.body.bytes",
             "user_agent": "user_agent.original"},
        ),
    ],
)  # fmt: skip
def test_names_that_many_like_are_told(line, mapping) -> None:
    """The variables of nginx, the usual keys of Fastly, and ECS: each column finds its key in a line."""
    assert told(line) == mapping


@pytest.mark.parametrize(
    "line",
    [
        {"status": 200, "url": "/a"},  # no time
        {"time": "yesterday", "url": "/a"},  # none that is one
        {"time": 1779012303, "level": "info", "message": "GET / HTTP/1.1"},  # no web server's
        [1, 2],
        "text",
    ],
)
def test_too_little_tells_nothing(line) -> None:
    """Without a time, or anything that only web servers log, nothing is guessed."""
    assert told(line) is None


def test_a_key_that_few_lines_have_is_left_alone() -> None:
    """A header that a client named like a field is none, though it lies less deep than the field."""
    line = {"ts": 1779012303, "request": {"uri": "/a", "remote_ip": "192.0.2.7"}}
    lines = [json.dumps(line).encode()] * 9 + [json.dumps(line | {"uri": "/other", "ip": "203.0.113.1"}).encode()]
    form = infer_keys(lines)
    assert form is not None
    assert json.loads(form.name) == {"time": "ts", "remote_addr": "request.remote_ip", "url": "request.uri"}


def test_a_server_s_own_format_is_told_before_a_guess() -> None:
    """Lines of a server that is known are read by its documentation, not by the names of their keys."""
    line = {"level": "info", "ts": 1779012303.5, "msg": "handled request", "size": 5, "status": 200, "duration": 0.1,
            "bytes_read": 0, "user_id": "", "resp_headers": {},
            "request": {"remote_ip": "192.0.2.7", "client_ip": "192.0.2.7", "proto": "HTTP/2.0", "method": "GET",
                        "host": "a.example", "uri": "/a", "headers": {"User-Agent": ["x"]}}}  # fmt: skip
    assert choose(b"".join(json.dumps(line).encode() + b"\n" for _ in range(9)), "auto").name == "caddy_json"
    assert "caddy_json" in NAMED

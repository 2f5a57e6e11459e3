"""Lines as servers of today write them: each is told by itself and read to its last field."""

# ruff: noqa: E501 - lines of logs

from __future__ import annotations

from typing import Any

import pytest

from logblur.parse import parse, reference
from logblur.parse.detect import choose
from logblur.schema import PARSED, Block

LATEST = 1_900_000_000_000_000
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
TRACE = "Root=1-58337281-1d84f3d73c47ec4e58577259"

LOGS = {
    "aws_alb": [
        f"https 2025-01-10T22:23:00.186641Z app/lb/50dc 203.0.113.7:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "
        f'"GET https://www.example.com:443/a?b=c HTTP/1.1" "{AGENT}" ECDHE TLSv1.2 arn:aws:x "{TRACE}" "www.example.com" '
        '"arn:aws:acm:y" 1 2025-01-10T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" '
        'TID_dc57cf9f "-" "-" "-"',
        f"h2 2025-01-10T22:23:01.186641Z app/lb/50dc 203.0.113.7:2817 - -1 -1 -1 460 - 0 57 "
        f'"GET https://www.example.com:443/a?b=c HTTP/2.0" "{AGENT}" ECDHE TLSv1.2 - "{TRACE}" "www.example.com" '
        '"arn:aws:acm:y" 1 2025-01-10T22:22:48.364000Z "forward" "-" "-" "-" "-" "-" "-"',
        "2025-01-10T22:23:02.945958Z my-lb 203.0.113.7:2817 10.0.0.1:80 0.000073 0.001048 0.000057 200 200 0 29 "
        f'"GET http://www.example.com:80/a?b=c HTTP/1.1" "{AGENT}" - -',
        '2025-01-10T22:23:03.945958Z my-lb 203.0.113.7:2817 10.0.0.1:80 0.001065 0.000015 0.000023 - - -1 -1 "- - - " "-" '
        "ECDHE TLSv1.2",
    ],
    "syslog:haproxy_http": [
        "Feb  6 12:14:14 lb haproxy[1]: 203.0.113.7:33317 [06/Feb/2025:12:14:14.655] in static/s1 10/0/30/69/109 200 2750 "
        '- - ---- 1/1/1/1/0 0/0 {www.example.com|Mozilla/5.0 (X11; "x")} {} "GET /a?b=c HTTP/1.1"',
        "Feb  6 12:14:15 lb haproxy[1]: 203.0.113.7:33318 [06/Feb/2025:12:14:15.655] in~ static/<NOSRV> -1/-1/-1/-1/0 503 "
        '212 - - SC-- 1/1/0/0/0 0/0 "GET /a?b=c HTTP/1.1"',
        "Feb  6 12:14:16 lb haproxy[1]: 203.0.113.7:33318 [06/Feb/2025:12:14:15.655] in~ static/s2 0/0/0/5/+8 200 +2120 "
        '- - ---- 1/1/0/0/0 0/0 "GET /a?b=c HTTP/1.1"',
        "Feb  6 12:14:17 lb haproxy[1]: 203.0.113.7:33318 [06/Feb/2025:12:14:15.655] in~ static/s2 0/0/0/5/8 200 2120 - - "
        '---- 1/1/0/0/0 0/0 "GET /a?b=c HTTP/2.0" 0/0000000000000000/0/0/0 www.example.com/TLSv1.3/TLS_AES_256_GCM_SHA384',
    ],
    "ingress_nginx": [
        f'203.0.113.7 - - [10/Mar/2025:10:15:32 +0000] "GET /a?b=c HTTP/2.0" 308 164 "-" "{AGENT}" 200 0.000 [web-80] [] '
        "- - - - 0f1e",
        f'203.0.113.7 - - [10/Mar/2025:10:15:33 +0000] "GET /a?b=c HTTP/2.0" 502 150 "-" "{AGENT}" 200 0.003 [web-80] [] '
        "10.0.0.1:80, 10.0.0.2:80 0, 150 0.001, 0.002 502, 502 0f1e",
        f'203.0.113.7 - - [10/Mar/2025:10:15:34 +0000] "GET /a?b=c HTTP/2.0" 200 150 "-" "{AGENT}" 200 0.003 [] [] - - - - '
        "0f1e",
    ],
    "json:envoy": [
        '{"message":"ACCESS [2025-04-10T03:49:34.451Z] \\"GET /a?b=c HTTP/1.1\\" 501 - 0 0 180 179 \\"203.0.113.7\\" '
        f'\\"{AGENT}\\" \\"413b\\" \\"www.example.com\\" \\"192.0.2.219:80\\"","stream":"stdout","kubernetes":{{}}}}',
        '{"message":"ACCESS [2025-04-10T03:49:35.451Z] \\"- - -\\" 0 UF,URX 0 0 0 - \\"-\\" \\"-\\" \\"-\\" \\"-\\" '
        '\\"192.0.2.9:9200\\"","stream":"stdout","kubernetes":{}}',
    ],
    "confluence": [
        f"[17/Jun/2025:12:57:26 +0200] 203.0.113.7 anna http-nio-8080-exec-6 127.0.0.1 GET /a?b=c HTTP/1.1 200 1020ms 7881 "
        f"http://www.example.com/ {AGENT}",
        f"[17/Jun/2025:12:57:27 +0200] anna http-nio-8080-exec-6 203.0.113.7 GET /a?b=c HTTP/1.1 200 20ms - - {AGENT}",
    ],
    "apache_ssl_request": [
        '[10/Aug/2025:09:45:56 +0200] 203.0.113.7 TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 "GET /a?b=c HTTP/1.1" 1375',
        '[10/Aug/2025:09:45:57 +0200] 203.0.113.7 TLSv1.3 TLS_AES_256_GCM_SHA384 "GET /a?b=c HTTP/1.1" -',
    ],
    "caddy_json": [
        '{"level":"info","ts":1741601732.123,"logger":"http.log.access","request":{"client_ip":"203.0.113.7","proto":'
        f'"HTTP/2.0","method":"GET","host":"www.example.com","uri":"/a?b=c","headers":{{"User-Agent":["{AGENT}"]}}}},'
        '"duration":1.2e-05,"size":10900,"status":200}',
        '{"level":"info","ts":"2025/03/10 10:15:32.123","logger":"http.log.access","request":{"remote_ip":"203.0.113.7",'
        f'"method":"GET","host":"www.example.com","uri":"/a?b=c","headers":{{"User-Agent":["{AGENT}"]}}}},'
        '"duration":"12.5ms","size":10900,"status":200}',
    ],
}


@pytest.mark.parametrize("name", LOGS)
def test_a_server_s_lines_are_told_and_read(name: str) -> None:
    """The format is told by its lines, none is refused, and what every line says is in its column."""
    block = Block.of("".join(line + "\n" for line in LOGS[name]).encode())
    form = choose(block.data[: block.size].tobytes(), "auto")
    assert form.name == name
    fast = parse([block], form, PARSED.names, latest_us=LATEST)
    slow = reference.parse([block], form, fast.batch.schema.names, latest_us=LATEST, max_line_bytes=65536)
    rows: list[dict[str, Any]] = slow.rows
    assert fast.batch.to_pylist() == rows
    assert (len(rows), slow.rejects) == (len(LOGS[name]), [])
    asked = [row for row in rows if row["path"] is not None]
    assert len(asked) >= len(rows) - 1
    assert {(row["path"], row["query"], row["method"]) for row in asked} == {("/a", "b=c", "GET")}
    clients = {row.get("remote_addr") or row.get("forwarded_for") for row in asked} - {"127.0.0.1"}
    assert clients == {"203.0.113.7"}
    if "user_agent" in form.columns:
        assert {row["user_agent"] for row in asked} == {AGENT}

"""What other programs read from real logs is what we read, field by field, but for known reasons."""

from __future__ import annotations

import bz2
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from logblur.errors import FormatError
from logblur.formats import Format
from logblur.parse import reference
from logblur.parse.detect import choose
from logblur.schema import Block

from . import expected

KNOWN = {
    (
        "*/envoyproxy_log/envoy.log",
        "bytes_sent",
    ): "Envoy logs bytes received before bytes sent; they take it the other way",
    ("*/istio_access_logs/*", "bytes_sent"): "Envoy logs bytes received before bytes sent; they take it the other way",
    ("*/envoyproxy_log/envoy.log", "remote_addr"): "X-Forwarded-For is the client there; ours is in forwarded_for",
    ("*/istio_access_logs/*", "remote_addr"): "their address has its port",
    ("*/haproxy_log/*default.log", "format"): "one line of a connection: no request",
    ("*/haproxy_log/test-error.log", "format"): "one line of an error: no request",
    ("crowdsec-hub/iis-xml-logs/iis-logs.log", "format"): "one event of Windows' own log, in XML",
    ("crowdsec-hub/nginx_http-catch-npm/*", "format"): "four layouts of nobody's in six lines",
    ("*/iis_access/*", "target"): "they undo the escapes of the query",
    ("*/iis_access/*", "line"): "a query with a space in it, not escaped",
    ("*/apache_tomcat_access/test-access.log", "user_agent"): "six layouts in eight lines",
    (
        "crowdsec-hub/aws-alb-logs/aws-alb-logs.log",
        "time",
    ): "theirs is when the request came, ours when it was answered",
    ("crowdsec-hub/caddy-logs/caddy-logs.log", "status"): "Caddy logs 0 where nothing was written: none",
    ("crowdsec-hub/nginx*", "line"): "an error log's message",
    ("datadog/*", "line"): "an error log's message",
    ("datadog/nginx_tests.yaml", "referer"): "five layouts in five lines",
    ("datadog/nginx_tests.yaml", "user_agent"): "five layouts in five lines",
    ("ezpaarse/test.apache.log", "target"): "their proxy has the whole URL in its path; they take it out",
    ("matomo-log-analytics/iis.log", "user_agent"): "they leave the plus signs of IIS, which are spaces",
}
"""File and column -> why we read something else."""

FOLDERS = ("elastic-beats", "elastic-integrations", "crowdsec-hub", "datadog", "matomo-log-analytics", "ezpaarse",
           "metron", "netdata", "iis-native")  # fmt: skip


def sources(folder: Path) -> Iterator[tuple[str, bytes, list[expected.Line]]]:
    """The name, the bytes and the expected lines of each log of a folder."""
    match folder.name:
        case "elastic-beats" | "elastic-integrations":
            logs = [Path(str(path).removesuffix("-expected.json")) for path in sorted(folder.glob("*/*-expected.json"))]
            found = [(log, [*expected.elastic(log)]) for log in logs]
        case "crowdsec-hub":
            asserts = sorted(folder.glob("*/parser.assert"))
            found = [(log, [*expected.crowdsec(log)]) for path in asserts for log in path.parent.glob("*.log")]
        case "datadog":
            for tests in sorted(folder.glob("*.yaml")):
                told = [*expected.datadog(tests)]
                yield f"datadog/{tests.name}", b"".join(line + b"\n" for line, _ in told), told
            return
        case "matomo-log-analytics":
            found = [(log, [line]) for told in (expected.matomo, expected.matomo_hits) for log, line in told(folder)]
        case "ezpaarse":
            found = [(log, [*expected.ezpaarse(log)]) for log in sorted(folder.glob("*.log"))]
        case "metron":
            found = [(folder / "SquidExampleOutput", [*expected.metron(folder / "SquidExampleParsed.json")])]
        case "netdata":
            outputs = sorted(folder.glob("*.output"))
            found = [(path.with_suffix(".log"), [*expected.netdata(path)]) for path in outputs]
        case _:
            log = folder / "IIS7_Test.log"
            found = [(log, [*expected.iis_native(log.with_suffix(".expected.json"))])]
    for log, told in found:
        opened = {".gz": gzip.open, ".bz2": bz2.open}.get(log.suffix, open)
        with opened(log, "rb") as file:
            yield str(log.relative_to(folder.parent)), file.read(), told


def row_of(line: bytes, form: Format, before: bytes) -> dict[str, Any] | None:
    """What we read from a line, by the names of `expected.COLUMNS`; None where it is refused."""
    directives = [x + b"\n" for x in before.split(b"\n") if x.startswith((b"#Fields", b"#Date"))]
    block = Block.of(b"".join(directives) + line)
    names = {*expected.COLUMNS, "path", "query"} - {"target"}
    found = reference.parse([block], form, sorted(names), latest_us=1 << 62, max_line_bytes=1 << 16)
    if not found.rows:
        return None
    row = found.rows[-1]
    query = "" if row.get("query") is None else f"?{row['query']}"
    return row | {"target": f"{row.get('path') or ''}{query}" or None, "time": row["time"].replace(microsecond=0)}


def same(name: str, ours: Any, theirs: Any) -> bool:
    """Whether two values are one; a URL's scheme and host are no part of our path."""
    if name == "target" and isinstance(theirs, str):
        theirs = re.sub(r"^[a-z]+://[^/?#]*(?=(.?))", lambda m: "" if m[1] == "/" else "/", theirs).removesuffix("?")
    return bool(ours == theirs)


def differences(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Each difference as file, column and what is different."""
    for name, log, told in sources(folder):
        try:
            form = choose(log[: 256 << 10], "auto")
        except FormatError:
            yield name, "format", "none fits"
            continue
        for line, values in told:
            row = row_of(line, form, log[: max(log.find(line), 0)])
            if row is None:
                yield name, "line", "refused"
                continue
            for column, theirs in values.items():
                if not same(column, row.get(column), theirs):
                    yield name, column, f"{row.get(column)!r} is not {theirs!r}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_others_read_is_what_we_read(folder: str, corpus: Path) -> None:
    """Time, address, method, target, status, size, referrer and agent are equal, or the difference is a known one."""
    met, new = set(), []
    for name, column, what in differences(corpus / "logs" / folder):
        places = {place for place in KNOWN if fnmatch(name, place[0]) and column == place[1]}
        met |= places
        if not places:
            new.append((name, column, what))
    assert not new
    assert {place for place in KNOWN if place[0].startswith(folder)} <= met, "some of these differences are no more"


def test_what_mtail_counts_is_what_we_count(corpus: Path) -> None:
    """Bytes by status are the totals of its golden file; the log has more numbers than lighttpd's default format."""
    log = corpus / "logs" / "mtail" / "lighttpd_access.log"
    data = log.read_bytes()
    columns = ["status", "bytes_sent"]
    found = reference.parse([Block.of(data)], choose(data, "auto"), columns, latest_us=1 << 62, max_line_bytes=1 << 16)
    counted: Counter[str] = Counter()
    for row in found.rows:
        counted[str(row["status"])] += row["bytes_sent"] or 0
    assert counted == expected.mtail(log)
    assert sum(counted.values()) > 2_000_000


def test_a_difference_is_seen(corpus: Path) -> None:
    """The comparison is no comparison of nothing: hundreds of lines are told, and a changed value is found."""
    lines = [line for folder in FOLDERS for _, _, told in sources(corpus / "logs" / folder) for line in told]
    assert sum(len(values) for _, values in lines) > 2000
    assert not same("target", "/a", "https://www.example.com/b")
    assert same("target", "/?b", "https://www.example.com?b")

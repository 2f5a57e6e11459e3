"""What other programs read from logs of the corpus: their expected outputs, line by line, in our columns.

A reader yields each line with what it should come to, by the names of `COLUMNS`: ``time`` to the second (outputs round
differently), ``target`` the path and the query. What an output does not tell is not there; None is nothing.
"""

from __future__ import annotations

import bz2
import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

Line = tuple[bytes, dict[str, Any]]

COLUMNS = ("time", "remote_addr", "method", "target", "status", "bytes_sent", "referer", "user_agent")


def _told(**values: Any) -> dict[str, Any]:
    """Return the values that an output tells; ``-`` and nothing are None."""
    return {name: None if value in ("-", "") else value for name, value in values.items() if value is not _NOT_TOLD}


class _NotTold:
    pass


_NOT_TOLD = _NotTold()


def _whole(value: Any) -> Any:
    return value if value in (_NOT_TOLD, None, "-", "") else int(value)


def _time(text: Any) -> Any:
    if not isinstance(text, str):
        return text
    for layout in ("%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S.%f %z"):
        try:
            return datetime.strptime(text, layout).astimezone(UTC).replace(microsecond=0)
        except ValueError:
            continue
    time = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    return time.astimezone(UTC).replace(microsecond=0) if time.tzinfo else time.replace(microsecond=0, tzinfo=UTC)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    else:
        yield path, value


def elastic(log: Path) -> Iterator[Line]:
    """Elastic's modules and integrations: ECS documents, flat or nested, each with the line it came from."""
    found = json.loads(Path(f"{log}-expected.json").read_text(encoding="utf-8"))
    text = log.read_bytes()
    for document in found["expected"] if isinstance(found, dict) else found:
        ecs = dict(_flat(document)) if document else {}
        if not ecs:
            continue
        get = lambda *names: next((ecs[name] for name in names if name in ecs), _NOT_TOLD)  # noqa: B023, E731
        original = get("event.original", "message")
        if original is _NOT_TOLD:
            original = text[ecs["log.offset"] :].partition(b"\n")[0].decode()
        target = get("url.original", "url.path")
        if "url.query" in ecs and "?" not in target:
            target += f"?{ecs['url.query']}"
        status = get("http.response.status_code")
        yield (
            original.encode(),
            _told(
                time=_time(get("@timestamp")),
                remote_addr=get("source.address", "source.ip", "client.ip"),
                method=get("http.request.method"),
                target=target,
                status=_whole(status),
                bytes_sent=_whole(get("http.response.body.bytes", "http.response.bytes")),
                referer=get("http.request.referrer"),
                user_agent=get("user_agent.original"),
            ),
        )


def crowdsec(log: Path) -> Iterator[Line]:
    """CrowdSec's hub: assertions on each event, its line among them."""
    stage = r'results\["s02-enrich"\]\["crowdsecurity/http-logs"\]'
    pattern = re.compile(stage + r'\[(\d+)\]\.Evt\.(\w+)\["(\w+)"\] == (".*")')
    events: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for line in (log.parent / "parser.assert").read_text(encoding="utf-8").splitlines():
        if found := pattern.fullmatch(line):
            text = re.sub(r"\\x([0-9a-f]{2})", r"\\u00\1", found[4])
            events[int(found[1])][f"{found[2]}.{found[3]}"] = json.loads(text)
    for event in events.values():
        get = lambda name: event.get(name, _NOT_TOLD)  # noqa: B023, E731
        args = event.get("Parsed.http_args", "")
        target = get("Parsed.request")
        if target is not _NOT_TOLD and args and "?" not in target:
            target += f"?{args}"
        if "Parsed.message" in event:
            yield (
                event["Parsed.message"].encode("latin-1", "replace"),
                _told(
                    time=_time(get("Meta.timestamp")),
                    remote_addr=get("Meta.source_ip"),
                    method=get("Parsed.verb"),
                    target=target,
                    status=_whole(get("Meta.http_status")),
                    bytes_sent=_whole(get("Parsed.body_bytes_sent")),
                    referer=get("Parsed.http_referer"),
                    user_agent=get("Parsed.http_user_agent"),
                ),
            )


def datadog(tests: Path) -> Iterator[Line]:
    """Datadog's integrations: samples with the attributes found in them."""
    for case in yaml.safe_load(tests.read_text(encoding="utf-8"))["tests"]:
        http = case["result"].get("custom", {}).get("http", {})
        network = case["result"]["custom"].get("network", {})
        stamp = case["result"].get("timestamp", _NOT_TOLD)
        if http.get("method"):
            yield (
                case["sample"].encode(),
                _told(
                    time=stamp if stamp is _NOT_TOLD else datetime.fromtimestamp(int(stamp) // 1000, UTC),
                    remote_addr=network.get("client", {}).get("ip", _NOT_TOLD),
                    method=http["method"],
                    target=http.get("url", _NOT_TOLD),
                    status=_whole(http.get("status_code", _NOT_TOLD)),
                    bytes_sent=_whole(network.get("bytes_written", _NOT_TOLD)),
                    referer=http.get("referer", _NOT_TOLD),
                    user_agent=http.get("useragent", _NOT_TOLD),
                ),
            )


def matomo(folder: Path) -> Iterator[tuple[Path, Line]]:
    """Matomo's importer: the groups that its pattern finds in the first line of each of its logs."""
    found = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    for name, told in found.items():
        groups: dict[str, Any] = {}
        for base in told.get("same_groups_as", []):
            for deeper in found[f"{base}.log"].get("same_groups_as", []):
                groups |= found[f"{deeper}.log"]["groups"]
            groups |= found[f"{base}.log"]["groups"]
        groups |= told.get("groups", {})
        log = folder / name
        if groups and log.suffix == ".log":
            line = next(x for x in log.read_bytes().split(b"\n") if x and not x.startswith(b"#"))
            query = groups.get("query_string")
            target = groups.get("path", _NOT_TOLD)
            yield (
                log,
                (
                    line,
                    _told(
                        remote_addr=groups.get("ip", _NOT_TOLD),
                        method=groups.get("method", _NOT_TOLD),
                        target=f"{target}?{query}" if query not in (None, "-") else target,
                        status=_whole(groups.get("status", _NOT_TOLD)),
                        bytes_sent=_whole(groups.get("length", _NOT_TOLD)),
                        referer=groups.get("referrer", _NOT_TOLD),
                        user_agent=groups.get("user_agent", _NOT_TOLD),
                    ),
                ),
            )


def matomo_hits(folder: Path) -> Iterator[tuple[Path, Line]]:
    """Matomo's importer: what it sends of the first request of each of its logs, compressed ones among them."""
    found = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    for name, told in found.items():
        hit = told.get("hits[0]", {})
        if "action_name" in hit:  # what a tracker sent, taken out of the query
            continue
        log = folder / name
        opened = {".gz": gzip.open, ".bz2": bz2.open}.get(log.suffix, open)
        with opened(log, "rb") as file:
            line = next(x for x in file.read().split(b"\n") if x and not x.startswith(b"#"))
        if hit:
            yield (
                log,
                (
                    line,
                    _told(
                        time=_time(hit.get("date", _NOT_TOLD)),
                        remote_addr=hit.get("ip", _NOT_TOLD),
                        target=hit.get("full_path", hit.get("path", _NOT_TOLD)),
                        status=_whole(hit.get("status", _NOT_TOLD)),
                        bytes_sent=_whole(hit.get("length", _NOT_TOLD)),
                        referer=hit.get("referrer", _NOT_TOLD),
                        user_agent=hit.get("user_agent", _NOT_TOLD),
                    ),
                ),
            )


def mtail(log: Path) -> dict[str, int]:
    """Mtail's totals over a log of lighttpd: bytes by status. (What it counts as requests leaves some out.)"""
    text = log.with_name("lighttpd_accesslog.golden").read_text(encoding="utf-8")
    return {status: int(n) for status, n in re.findall(r"bytes_out \{subtotal=resp_body,status=(\d+)\} (\d+) ", text)}


def ezpaarse(log: Path) -> Iterator[Line]:
    """ezPAARSE: consultations, found in the log by URL and size, and by host and time where it is no digest of one."""
    events = json.loads(Path(str(log).removesuffix(".log") + ".result.json").read_text(encoding="utf-8"))
    lines = log.read_bytes().split(b"\n")
    for event in events:
        host = event["host"] if "." in event["host"] else _NOT_TOLD
        stamp = datetime.fromisoformat(event["datetime"]).strftime("%d/%b/%Y:%H:%M:%S")
        wanted = [f"{event['url'].partition('://')[2]} ".encode(), f" {event['size']}".encode()]
        wanted += [host.encode(), stamp.encode()] if host is not _NOT_TOLD else []
        if line := next((x for x in lines if all(part in x for part in wanted)), None):
            yield (
                line,
                _told(
                    time=_time(event["datetime"]),
                    remote_addr=host,
                    target=event["url"],
                    status=_whole(event["status"]),
                    bytes_sent=_whole(event["size"]),
                ),
            )


def metron(parsed: Path) -> Iterator[Line]:
    """Metron's squid parser: JSON with the line it came from."""
    for line in parsed.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        yield (
            event["original_string"].encode(),
            _told(
                time=datetime.fromtimestamp(event["timestamp"] // 1000, UTC),
                remote_addr=event["ip_src_addr"],
                method=event["method"],
                target=event["url"],
                status=event["code"],
                bytes_sent=event["bytes"],
            ),
        )


def netdata(output: Path) -> Iterator[Line]:
    """Netdata's log2journal: journal fields of each line, in the order of the log."""
    lines = output.with_suffix(".log").read_bytes().split(b"\n")
    for line, entry in zip(lines, output.read_text(encoding="utf-8").strip().split("\n\n"), strict=False):
        field = dict(x.partition("=")[::2] for x in entry.split("\n"))
        yield (
            line,
            _told(
                time=_time(field["NGINX_TIME_LOCAL"]),
                remote_addr=field["NGINX_REMOTE_ADDR"],
                method=field["NGINX_REQUEST_METHOD"],
                target=field["NGINX_REQUEST_URI"],
                status=_whole(field["NGINX_STATUS"]),
                bytes_sent=_whole(field["NGINX_BODY_BYTES_SENT"]),
                referer=field["NGINX_HTTP_REFERER"],
                user_agent=field["NGINX_HTTP_USER_AGENT"],
            ),
        )


def iis_native(parsed: Path) -> Iterator[Line]:
    """LogJoint's reading of IIS' own format, in the order of the log."""
    lines = (parsed.parent / parsed.name.replace(".expected.json", ".log")).read_bytes().split(b"\n")
    for line, event in zip(lines, json.loads(parsed.read_text(encoding="utf-8")), strict=False):
        field = event["fields"]
        yield (
            line,
            _told(
                time=_time(event["time"]),
                remote_addr=field["ClientIP"],
                method=field["Request"],
                target=field["Target"],
                status=_whole(field["ServiceStatus"]),
                bytes_sent=_whole(field["ServerBytes"]),
            ),
        )

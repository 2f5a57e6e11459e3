r"""JSON lines: which key holds which field, by name of the server or by a mapping of the operator's.

A mapping is column to path: ``{"time": "ts", "remote_addr": ["request.client_ip", "request.remote_ip"]}``. A path is
keys joined by dots (``\.`` is a dot within a key); of several for one column the first that says something in a line
counts. Where an array stands, its first element is meant. A column is one of `schema.column`, or of these:

- ``request``: a request line; ``url``: a URL; where ``host`` has no key of its own, they tell the host too; ``path``: a
  path, with its query where ``query`` has no key of its own;
- ``duration``: in seconds; ``duration_ms``, ``duration_us``, ``duration_ns``: in that unit.

Times are read in any layout of `formats.times.ANY`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from logblur.errors import FormatError
from logblur.formats import UNITS, Escape, Field, Format, Kind
from logblur.formats.times import ANY

_COLUMN: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_KINDS: Final[Mapping[str, Field]] = {
    "time": Field("time", Kind.TIME, layout=ANY),
    "remote_addr": Field("remote_addr", Kind.ADDRESS),
    "status": Field("status", Kind.STATUS),
    "bytes_sent": Field("bytes_sent", Kind.SIZE),
    "bytes_received": Field("bytes_received", Kind.SIZE),
    "request": Field("absolute_request", Kind.REQUEST),
    "url": Field("url", Kind.URL),
    "path": Field("target", Kind.URL),
    "duration": Field("duration", Kind.DURATION, layout="s"),
    **{f"duration_{unit}": Field("duration", Kind.DURATION, layout=unit) for unit in UNITS},
}


def compile_mapping(mapping: Mapping[str, str | Sequence[str]], *, name: str = "", marker: str = "") -> Format:
    """Return the format of JSON lines whose keys hold these columns.

    Args:
        mapping: Column to path, or to several.
        name: What people call it; by default the mapping itself, as JSON.
        marker: A path that every request has; a line without it is a message of the server's own, so a directive.

    Raises:
        FormatError: A column that cannot be, two that say the same, a path twice or within another, no time.
    """
    fields: list[Field] = []
    keys: list[tuple[str, ...]] = []
    taken: set[str] = set()
    for column, paths in mapping.items():
        if not _COLUMN.fullmatch(column):
            raise FormatError(f"{column!r} is no name of a column: use small letters, digits and _, such as http_dnt")
        field = replace(_KINDS.get(column, Field(column, Kind.TEXT)), escape=Escape.JSON)
        if column == "url" and "host" in mapping:
            field = replace(field, name="target")
        if column == "request" and "host" in mapping:
            field = replace(field, name="request")
        if column in {"url", "path"} and "query" in mapping:
            field = replace(field, name="path")
        if taken & set(field.columns):
            raise FormatError(f"{column} says what another key of the mapping says already")
        taken |= set(field.columns)
        fields.append(field)
        keys.append((paths,) if isinstance(paths, str) else tuple(paths))
    if "time" not in taken:
        raise FormatError("the mapping names no time: without it a line belongs to no day")
    places = [steps(path) for each in (*keys, (marker,) if marker else ()) for path in each]
    wanted = places[: sum(map(len, keys))]
    if not all(keys) or not all(all(path) for path in places):
        raise FormatError("a path is empty, or one of its keys is")
    for path in wanted:
        if wanted.count(path) > 1:
            raise FormatError("a key of the mapping is named twice")
        if any(other[: len(path)] == path for other in wanted if other != path):
            raise FormatError("a key of the mapping is named, and one inside it too")
    return Format(name or json.dumps(mapping), tuple(fields), (), keys=tuple(keys), marker=marker)


def steps(path: str) -> tuple[bytes, ...]:
    """Return the keys of a path, as a server writes them between quotes."""
    keys = (key.replace("\\.", ".") for key in re.split(r"(?<!\\)\.", path))
    return tuple(json.dumps(key, ensure_ascii=False)[1:-1].encode() for key in keys)


def read_mapping(text: str) -> Format:
    """Return the format that a mapping written as JSON means.

    Raises:
        FormatError: It is no object of column to path, or means no format; see `compile_mapping`.
    """
    try:
        mapping: Any = json.loads(text)
    except ValueError:
        raise FormatError('the mapping is no JSON: write it as {"time": "ts", …}') from None
    return compile_mapping(_checked(mapping))


def _checked(mapping: Any) -> Mapping[str, str | Sequence[str]]:
    """Return what was read from a file, if it has the shape of a mapping."""
    if not isinstance(mapping, dict) or not mapping:
        raise FormatError('a mapping is one of column to path, such as time = "ts"')
    for column, paths in mapping.items():
        several = paths if isinstance(paths, list) and paths else [paths]
        if not all(isinstance(path, str) and path.isprintable() for path in several):
            raise FormatError(f'{column}: write a path such as "request.uri", or a list of them')
    return mapping


@dataclass(frozen=True, slots=True)
class Named:
    """A server's JSON log.

    Attributes:
        source: The documentation it follows.
        marker: A path that every request has.
        mapping: See `compile_mapping`.
    """

    source: str
    marker: str
    mapping: Mapping[str, str | Sequence[str]]


NAMED: Final[Mapping[str, Named]] = {
    "caddy_json": Named(
        "caddyserver.com/docs/caddyfile/directives/log, encoder json; before 2.5 request.remote_addr with its port",
        "size",
        {
            "time": "ts",
            "remote_addr": ["request.client_ip", "request.remote_ip", "request.remote_addr"],
            "remote_user": "user_id",
            "host": "request.host",
            "method": "request.method",
            "path": "request.uri",
            "protocol": "request.proto",
            "status": "status",
            "bytes_sent": "size",
            "bytes_received": "bytes_read",
            "duration": "duration",
            "referer": "request.headers.Referer",
            "user_agent": "request.headers.User-Agent",
            "forwarded_for": "request.headers.X-Forwarded-For",
            "cookies": "request.headers.Cookie",
            "http_dnt": "request.headers.Dnt",
            "http_sec_gpc": "request.headers.Sec-Gpc",
            "sent_http_content_type": ["resp_headers.Content-Type", "request.resp_headers.Content-Type"],
        },
    ),
    "traefik_json": Named(
        "doc.traefik.io/traefik/observe/logs-and-access-logs, access log, format json; headers where they are kept",
        "RequestMethod",
        {
            "time": ["StartUTC", "StartLocal", "time"],
            "remote_addr": ["ClientHost", "ClientAddr"],
            "remote_user": "ClientUsername",
            "host": ["RequestHost", "RequestAddr"],
            "method": "RequestMethod",
            "path": "RequestPath",
            "protocol": "RequestProtocol",
            "status": ["DownstreamStatus", "OriginStatus"],
            "bytes_sent": ["DownstreamContentSize", "OriginContentSize"],
            "bytes_received": "RequestContentSize",
            "duration_ns": "Duration",
            "referer": ["request_Referer", "RequestRefererHeader"],
            "user_agent": ["request_User-Agent", "RequestUserAgentHeader"],
            "forwarded_for": "request_X-Forwarded-For",
            "sent_http_content_type": ["downstream_Content-Type", "origin_Content-Type"],
        },
    ),
    "cloudflare_json": Named(
        "developers.cloudflare.com/logs/logpush, dataset HTTP requests; times as RFC 3339, seconds or nanoseconds",
        "ClientRequestMethod",
        {
            "time": ["EdgeStartTimestamp", "EdgeEndTimestamp"],
            "remote_addr": "ClientIP",
            "host": "ClientRequestHost",
            "method": "ClientRequestMethod",
            "path": ["ClientRequestURI", "ClientRequestPath"],
            "protocol": "ClientRequestProtocol",
            "status": "EdgeResponseStatus",
            "bytes_sent": "EdgeResponseBytes",
            "bytes_received": "ClientRequestBytes",
            "duration_ms": "EdgeTimeToFirstByteMs",
            "referer": "ClientRequestReferer",
            "user_agent": "ClientRequestUserAgent",
            "forwarded_for": "ClientXForwardedFor",
            "sent_http_content_type": "EdgeResponseContentType",
        },
    ),
    "gcp_load_balancer_json": Named(
        "cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry, httpRequest",
        "httpRequest.requestUrl",
        {
            "time": "timestamp",
            "remote_addr": "httpRequest.remoteIp",
            "url": "httpRequest.requestUrl",
            "method": "httpRequest.requestMethod",
            "protocol": "httpRequest.protocol",
            "status": "httpRequest.status",
            "bytes_sent": "httpRequest.responseSize",
            "bytes_received": "httpRequest.requestSize",
            "referer": "httpRequest.referer",
            "user_agent": "httpRequest.userAgent",
        },
    ),
    "azure_front_door_json": Named(
        "learn.microsoft.com/azure/frontdoor/monitor-front-door, access log; the classic tier's names too",
        "properties.pop",
        {
            "time": "time",
            "remote_addr": ["properties.clientIp", "properties.clientIP"],
            "url": "properties.requestUri",
            "method": "properties.httpMethod",
            "protocol": "properties.httpVersion",
            "status": ["properties.httpStatusCode", "properties.httpStatus"],
            "bytes_sent": ["properties.responseBytes", "properties.sentBytes"],
            "bytes_received": ["properties.requestBytes", "properties.receivedBytes"],
            "duration": "properties.timeTaken",
            "referer": "properties.referer",
            "user_agent": "properties.userAgent",
        },
    ),
    "azure_application_gateway_json": Named(
        "learn.microsoft.com/azure/application-gateway/monitor-application-gateway-reference, access log v1 and v2",
        "properties.requestQuery",
        {
            "time": ["timeStamp", "time"],
            "remote_addr": ["properties.clientIP", "properties.clientIp"],
            "host": ["properties.originalHost", "properties.host"],
            "method": "properties.httpMethod",
            "path": "properties.requestUri",
            "query": "properties.requestQuery",
            "protocol": "properties.httpVersion",
            "status": "properties.httpStatus",
            "bytes_sent": "properties.sentBytes",
            "bytes_received": "properties.receivedBytes",
            "duration": "properties.timeTaken",
            "user_agent": "properties.userAgent",
        },
    ),
    "envoy_json": Named(
        "istio.io/latest/docs/tasks/observability/logs/access-log, accessLogEncoding JSON; Envoy's json_format alike",
        "response_code",
        {
            "time": "start_time",
            "remote_addr": ["downstream_remote_address", "downstream_direct_remote_address"],
            "host": "authority",
            "method": "method",
            "path": "path",
            "protocol": "protocol",
            "status": "response_code",
            "bytes_sent": "bytes_sent",
            "bytes_received": "bytes_received",
            "duration_ms": "duration",
            "referer": "referer",
            "user_agent": "user_agent",
            "forwarded_for": "x_forwarded_for",
        },
    ),
}
"""JSON logs known by name; others, nginx's and Fastly's among them, name their keys as their operators like."""


def named(name: str) -> Format:
    """Return the format of a server's JSON log."""
    found = NAMED[name]
    return compile_mapping(found.mapping, name=name, marker=found.marker)

"""Mappings of JSON keys told by lines: operators name keys as they like, but most like the same names.

A key is compared without case and punctuation, by itself or with the keys it lies in: ``remote_addr``, ``remoteAddr``
and ``remote.addr`` are one. Its values must look like what the name says; one of text may say nothing in the lines that
are looked at. Of two keys for one column one that says something counts, then the better known name, then the one that
lies less deep. What less than half of the lines have is left alone: in some logs, the client chooses keys.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from logblur.errors import FormatError
from logblur.formats import Format
from logblur.formats.infer import is_address
from logblur.formats.json import compile_mapping

_TIME: Final = re.compile(
    r"\[?(\d{4}([-/])\d\d\2\d\d[T ]\d\d:\d\d:\d\d.*|\d\d/[A-Z][a-z]{2}/\d{4}:.*|\d{9,19}(\.\d*)?)\]?"
)
_REQUEST: Final = re.compile(r"[A-Z]{3,10} \S.*")
_DEPTH: Final = 5
"""Objects within one another that are looked into."""


def _any(_: str) -> bool:
    return True


_NAMES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "time": (
        "timestamp time ts datetime timeiso8601 iso8601 timelocal msec starttime eventtime logtime date",
        _TIME.fullmatch,
    ),
    "remote_addr": (
        "clientip remoteaddr remoteip clientaddr clientaddress sourceip remoteaddress sourceaddress ip client "
        "remotehost realip addr",
        is_address,
    ),
    "remote_user": ("remoteuser username authuser user", _any),
    "host": ("httphost requesthost vhost virtualhost servername host domain authority urldomain site", _any),
    "request": ("request requestline", _REQUEST.fullmatch),
    "method": ("method requestmethod httpmethod httprequestmethod verb", re.compile(r"[A-Za-z]{3,20}").fullmatch),
    "url": (
        "requesturi uri url urloriginal requesturl path requestpath urlpath uripath urifull",
        re.compile(r"\S*/.*|\*").fullmatch,
    ),
    "query": ("args querystring query urlquery requestquery", _any),
    "protocol": ("protocol serverprotocol requestprotocol httpversion proto", _any),
    "status": (
        "status statuscode responsestatus responsestatuscode httpstatus httpstatuscode responsecode "
        "httpresponsestatuscode code",
        re.compile(r"[1-9]\d\d").fullmatch,
    ),
    "bytes_sent": (
        "bodybytessent bytessent responsesize responsebytes responsebodysize responselength sentbytes bytes size "
        "length contentlength httpresponsebodybytes bytesout",
        re.compile(r"\d*|-").fullmatch,
    ),
    "bytes_received": ("requestlength bytesreceived requestsize requestbytes bytesin", re.compile(r"\d*|-").fullmatch),
    "duration": ("requesttime", re.compile(r"\d*\.\d+|[\d.]+(e[+-]?\d\d?)?(|s|ms|us|ns)|-?").fullmatch),
    "duration_ms": ("durationms requesttimems responsetimems elapsedms latencyms", re.compile(r"[\d.]+|-?").fullmatch),
    "referer": ("httpreferer referer referrer httpreferrer requestreferer httprequestreferrer requestreferrer", _any),
    "user_agent": ("httpuseragent useragent agent requestuseragent useragentoriginal ua", _any),
    "forwarded_for": ("httpxforwardedfor xforwardedfor forwardedfor", _any),
    "cookies": ("httpcookie cookie cookies", _any),
    "sent_http_content_type": (
        "senthttpcontenttype upstreamhttpcontenttype responsecontenttype contenttype mimetype",
        re.compile(r"[\w.+-]+/[\w.+-]+.*|-?").fullmatch,
    ),
}
"""For each column the names that keys have, better known ones first, and what their values look like."""

_TOLD: Final = frozenset({"request", "url", "status"})
"""One of these is in the log of every web server."""


def infer_keys(lines: Sequence[bytes]) -> Format | None:
    """Return the format of JSON lines whose keys have names that are known, None where they tell too little.

    Cost:
        Time in proportion to the lines.

    Privacy:
        The format's name is its mapping: names of keys, those alone that stand in `_NAMES` in some spelling.
    """
    values: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    objects = 0
    for line in lines:
        try:
            found = json.loads(line[line.find(b"{") :])
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            objects += 1
            for path, value in _leaves(found, ()):
                values[path].append(value)
    mapping: dict[str, str] = {}
    for column, (names, fits) in _NAMES.items():
        order = {name: k for k, name in enumerate(names.split())}
        places = {
            path: min(order.get(_plain(path[-1]), len(order)), order.get(_plain("".join(path)), len(order)))
            for path, texts in values.items()
            if 2 * len(texts) >= objects and (fits is _any or _looks_right([text for text in texts if text], fits))
        }
        known = [path for path, place in places.items() if place < len(order)]
        if known:
            best = min(known, key=lambda path: (not any(values[path]), places[path], len(path), path))
            mapping[column] = ".".join(key.replace(".", "\\.") for key in best)
    if "request" in mapping:
        for column in ("method", "url", "query", "protocol"):
            mapping.pop(column, None)
    if "duration" in mapping:
        mapping.pop("duration_ms", None)
    if "time" not in mapping or not _TOLD & mapping.keys():
        return None
    try:
        return compile_mapping(mapping)
    except FormatError:  # one key for two columns
        return None


def _looks_right(texts: Sequence[str], fits: Callable[[str], Any]) -> bool:
    return 2 * sum(bool(fits(text)) for text in texts) >= len(texts) > 0


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key.lower())


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the values that a mapping could name, as text."""
    while isinstance(value, list) and path:
        value = value[0] if value else None
    match value:
        case dict() if len(path) < _DEPTH:
            for key, inner in value.items():
                if key and key.isascii() and key.isprintable():
                    yield from _leaves(inner, (*path, key))
        case bool() | None:
            pass
        case str() | int() | float():
            yield path, str(value)

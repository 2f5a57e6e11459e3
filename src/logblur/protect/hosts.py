"""Site names: the ``Host`` that a request asked for is the client's text, so only what can be a name passes."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from logblur.placeholders import NONE

_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,61}[a-z0-9]")

_PORT: Final = re.compile(r":[0-9]{0,5}\Z")
_ADDRESS: Final = re.compile(r"(?:\A|[.-])[0-9]{1,3}(?:[.-][0-9]{1,3}){3}(?:[.-]|\Z)|\.arpa\Z")


def sites(hosts: pa.Array) -> pa.Array:
    """Return each host (large_string) as a site: lower-case ASCII (IDNA), without port and final dot, or ``(none)``.

    Privacy:
        An address is no site, nor is a name that spells one: its last label starts with a letter, it holds no four
        numbers in a row and does not end in ``.arpa``.
    """
    return pa.array([_site(host) for host in hosts.to_pylist()], pa.string())


def _site(host: str | None) -> str:
    name = _PORT.sub("", host or "").rstrip(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return NONE
    return name if _NAME.fullmatch(name) and not _ADDRESS.search(name) else NONE

"""Site names: the ``Host`` that a request asked for is the client's text, so only what can be a name passes."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa

from logblur.schema import NONE

_NAME: Final = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,61}[a-z0-9]")


def sites(hosts: pa.Array) -> pa.Array:
    """Return each host (large_string) as a site: lower case, without port and final dot; ``(none)`` for what is none.

    Privacy:
        An address, in whatever notation, is no site: the last label of a name starts with a letter.
    """
    return pa.array([_site(host) for host in hosts.to_pylist()], pa.string())


def _site(host: str | None) -> str:
    name = (host or "").partition(":")[0].rstrip(".").lower()
    return name if _NAME.fullmatch(name) else NONE

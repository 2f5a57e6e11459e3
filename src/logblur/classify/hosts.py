"""What a host says: its registrable domain, and whether it is a search engine.

A host comes from a header that anyone can write, so it is cleaned until nothing but host name characters is left, and
whatever does not end in a known public suffix (an address, a number, a name inside a network, junk) says nothing.

Only the suffixes of registries count, not those that companies list for their customers: ``alice.github.io`` is
``github.io``. The customers' suffixes name single people and, in clouds and dynamic DNS, hold addresses
(``ec2-203-0-113-7.eu-west-1.compute.amazonaws.com``), which must never pass.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from logblur.schema import NONE

LONGEST: Final = 512
"""Characters of a host that are read: a name has at most 253, the rest is for a port and user information."""

ABSENT: Final = (NONE, NONE)

_PORT: Final = re.compile(r":[0-9]{0,5}")
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ADDRESS: Final = re.compile(r"(?<![0-9])(?:[0-9]{1,3}-){3}[0-9]{1,3}(?![0-9])")
_SAME_SITE: Final = ("www.", "m.", "mobile.")  # the same service under another name


@dataclass(frozen=True, slots=True)
class Engine:
    """A search engine.

    Attributes:
        name: As it is published.
        hosts: Where its results are shown. ``google.*`` is google under any public suffix; ``*.search.yahoo.com`` is
            every host below; ``com.google.android...`` is an app; ``www.``, ``m.`` and ``mobile.`` need not be listed.
        terms: Query parameters that hold what was searched for.
    """

    name: str
    hosts: tuple[str, ...]
    terms: tuple[str, ...]


@functools.cache
def engines() -> tuple[Engine, ...]:
    """Return the table of search engines, in the order of the file."""
    table = tomllib.loads((files(__package__) / "engines.toml").read_text("utf-8"))
    return tuple(Engine(e["name"], tuple(e["hosts"]), tuple(e["terms"])) for e in table["engine"])


@functools.cache
def _engine_of_host() -> Mapping[str, str]:
    return {host: engine.name for engine in engines() for host in engine.hosts}


@functools.cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False, only_icann=True)


def build() -> None:
    """Read the tables, once a process."""
    _suffixes()
    _engine_of_host()


def clean(text: str) -> str:
    """Return the name of a host in lower-case ASCII, without user information, port and final dot; empty for junk."""
    if len(text) > LONGEST:
        return ""
    host = text.rpartition("@")[2]
    name, colon, port = host.partition(":")
    if colon and not _PORT.fullmatch(colon + port):
        return ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    name = name.lower().removesuffix(".")
    return name if len(name) <= 253 and _NAME.fullmatch(name) else ""


def describe(text: str) -> tuple[str, str]:
    """Return the registrable domain of a host and the search engine it is, `schema.NONE` where there is none.

    Privacy:
        What stands left of the registrable domain goes: ``mail.alice.example.com`` is ``example.com``. An address in
        any notation ends in no public suffix; one that is written with dashes in the domain itself is refused.

    Source:
        Public Suffix List, ICANN section.
    """
    name = clean(text)
    suffix = _suffixes().publicsuffix(name) if name else None
    if suffix is None or len(suffix) == len(name) or suffix.endswith("arpa"):  # reverse DNS spells addresses
        return NONE, _engine_of_host().get(name, NONE)  # an app of an engine is no domain
    rest = name[: -len(suffix) - 1]
    label = rest.rpartition(".")[2]
    if not _DOMAIN.fullmatch(label) or _ADDRESS.search(label):
        return ABSENT
    return f"{label}.{suffix}", _engine(name, rest)


def _engine(name: str, rest: str) -> str:
    known = _engine_of_host()
    for prefix in ("", *(p for p in _SAME_SITE if name.startswith(p))):
        for candidate in (name[len(prefix) :], f"{rest[len(prefix) :]}.*"):
            if candidate in known:
                return known[candidate]
    at = name.find(".")
    while at >= 0:
        if (engine := known.get("*" + name[at:])) is not None:
            return engine
        at = name.find(".", at + 1)
    return NONE

"""What a host says: its registrable domain, and whether it is a search engine, a social network, or answers itself.

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
from typing import Any, Final, NamedTuple

from logblur.placeholders import NONE

LONGEST: Final = 512
"""Characters of a host that are read: a name has at most 253, the rest is for a port and user information."""

_PORT: Final = re.compile(r":[0-9]{0,5}")
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_ADDRESS: Final = re.compile(r"(?<![0-9])(?:[0-9]{1,3}-){3}[0-9]{1,3}(?![0-9])")
_SAME_SITE: Final = ("www.", "m.", "mobile.")  # the same service under another name


class Host(NamedTuple):
    """What a host says of visits that come from it; of the last three at most one is a name."""

    domain: str
    search_engine: str
    social_network: str
    ai_service: str


ABSENT: Final = Host(NONE, NONE, NONE, NONE)

KINDS: Final = {"search": "search_engine", "social": "social_network", "answers": "ai_service"}
"""The parts of the table, and the column that their names go into."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where visits come from.

    Attributes:
        kind: Of `KINDS`.
        name: As it is published.
        hosts: Where its pages are shown. ``google.*`` is google under any public suffix; ``*.search.yahoo.com`` is
            every host below; ``com.google.android...`` is an app; ``www.``, ``m.`` and ``mobile.`` need not be listed.
        terms: Query parameters that hold what was searched for.
    """

    kind: str
    name: str
    hosts: tuple[str, ...]
    terms: tuple[str, ...] = ()


@functools.cache
def sources() -> tuple[Source, ...]:
    """Return the table ``referrers.toml``, in the order of the file."""
    table = _table()
    engines = (Source("search", name, tuple(e["hosts"]), tuple(e["terms"])) for name, e in table["search"].items())
    others = (Source(k, name, tuple(hosts)) for k in ("social", "answers") for name, hosts in table[k].items())
    return (*engines, *others)


def abbreviations() -> Mapping[str, list[str]]:
    """Return by name what links call a source beside that, in small letters."""
    called: Mapping[str, list[str]] = _table()["called"]
    return called


@functools.cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads((files(__package__) / "referrers.toml").read_text("utf-8"))


@functools.cache
def _source_of_host() -> Mapping[str, Source]:
    return {host: source for source in sources() for host in source.hosts}


@functools.cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False, only_icann=True)


def build() -> None:
    """Read the tables, once a process."""
    _suffixes()
    _source_of_host()


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


def describe(text: str) -> Host:
    """Return the registrable domain of a host and what it is, `placeholders.NONE` where there is none.

    Privacy:
        What stands left of the registrable domain goes: ``mail.alice.example.com`` is ``example.com``. An address in
        any notation ends in no public suffix; one that is written with dashes in the domain itself is refused.

    Source:
        Public Suffix List, ICANN section.
    """
    name = clean(text)
    suffix = _suffixes().publicsuffix(name) if name else None
    if suffix is None or len(suffix) == len(name) or suffix.endswith("arpa"):  # reverse DNS spells addresses
        return _said(NONE, _source_of_host().get(name))  # an app is no domain
    rest = name[: -len(suffix) - 1]
    label = rest.rpartition(".")[2]
    if not _DOMAIN.fullmatch(label) or (label.count("-") >= 3 and _ADDRESS.search(label)):
        return ABSENT
    return _said(f"{label}.{suffix}", _source(name, rest))


def source_of(host: str) -> Source | None:
    """Return what a host is in our table."""
    name = clean(host)
    suffix = _suffixes().publicsuffix(name) if name else None
    return _source_of_host().get(name) if suffix is None else _source(name, name[: -len(suffix) - 1])


def _said(domain: str, source: Source | None) -> Host:
    host = Host(domain, NONE, NONE, NONE)
    return host if source is None else host._replace(**{KINDS[source.kind]: source.name})


def _source(name: str, rest: str) -> Source | None:
    known = _source_of_host()
    source = known.get(name) or known.get(f"{rest}.*")
    if source is None and name.startswith(_SAME_SITE):
        prefix = name.index(".") + 1
        source = known.get(name[prefix:]) or known.get(f"{rest[prefix:]}.*")
    if source is not None:
        return source
    at = name.find(".")
    while at >= 0:
        if (source := known.get("*" + name[at:])) is not None:
            return source
        at = name.find(".", at + 1)
    return None

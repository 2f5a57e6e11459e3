"""The Plan: what a policy comes to, once it is held against the schema. Every stage reads it; none reads the policy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from logblur.periods import Period

Method = Literal[
    "keep", "cryptopan", "ipcrypt-pfx", "ipcrypt-deterministic", "ipcrypt-nd", "ipcrypt-ndx", "pseudonym", "second",
    "minute", "hour", "day", "truncate", "asn", "country", "template", "terms", "path", "origin", "domain", "family",
    "class", "bucket", "drop",
]  # fmt: skip
"""How a field is treated; of two that one field can have, the later keeps less. A field not named is dropped."""

KEY_SIZE: Final[Mapping[Method, int]] = {
    "pseudonym": 16,
    "ipcrypt-deterministic": 16,
    "ipcrypt-nd": 16,
    "ipcrypt-ndx": 32,
    "ipcrypt-pfx": 32,
    "cryptopan": 32,
}
"""Bytes of the key of each method that takes one; all but a pseudonym, which has the day's, take an operator's."""

CAMPAIGN: Final = "utm_source"
"""The parameter in which a link says where it stands."""

CONTENT_TYPE: Final = "sent_http_content_type"
"""The field that says what kind of file was sent, whatever its path is called."""

_BY_SOURCE: Final = frozenset({"search", "referral", "social", "ai_answers", "sites"})
_SOURCES: Final = frozenset({"search_engine", "social_network", "ai_service"})

Conditions = tuple[tuple[str, tuple[str, ...]], ...]
"""Fields, and for each the values that count; ``*`` in a value stands for any text."""


LARGEST_SHARE: Final = 0.8
"""Share of a row's requests or bytes that one client may make, where a table says nothing else."""


@dataclass(frozen=True, slots=True)
class Database:
    """What a column is looked up in: ``country`` or ``asn``, where, and which build of it (type and time)."""

    column: str
    path: str
    build: str


Kind = Literal["file", "env", "fd"]
"""Where an operator's key comes from."""


@dataclass(frozen=True, slots=True)
class NamedKey:
    """A key of the operator's, as the policy knows it.

    Attributes:
        name: What the policy calls it.
        kind: Where it comes from: a file, an environment variable, or an open descriptor.
        place: Its path, name or number.
        method: The one method that it is for, which says how long it is.
    """

    name: str
    kind: Kind
    place: str
    method: Method


@dataclass(frozen=True, slots=True)
class Signals:
    """When a request is restricted.

    Attributes:
        consent: A request is, where this names fields and none of them holds one of its values.
        objection: It is, where one of these fields holds one of its values, whatever else it says.
        visitors: Whether restricted requests are among the visitors that are counted.
        methods, columns, ipv4_prefix, ipv6_prefix, query, keys: Of restricted requests, as in `Plan`.
    """

    consent: Conditions
    objection: Conditions
    visitors: bool
    methods: Mapping[str, Method]
    columns: tuple[str, ...]
    ipv4_prefix: int
    ipv6_prefix: int
    query: tuple[str, ...]
    keys: Mapping[str, NamedKey] = field(default_factory=dict)

    @property
    def fields(self) -> frozenset[str]:
        """The fields that tell it; a cookie is in the whole header too."""
        named = {name for name, _ in self.consent + self.objection}
        return frozenset(named | ({"cookies"} if any(name.startswith("cookie_") for name in named) else set()))


def of_files(where: str, by: Collection[str]) -> bool:
    """Return whether each group of a table is of one file, and knows which requests were for pieces of it."""
    return where == "download" and {"path", "complete"} <= set(by)


@dataclass(frozen=True, slots=True)
class TablePlan:
    """One published table.

    Attributes:
        name: Folder and file name of the table.
        where: A name in `schema.UNIVERSES`.
        by: Key columns, names in `schema.KEY_TYPES` or of own dimensions, in roll-up order (the last rolls up
            first); never empty.
        measures: Names in `schema.MEASURES`, in column order.
        min_clients: k, at least 2.
        max_client_share: The largest share of a row's requests, and of its bytes, that one client may make.
    """

    name: str
    where: str
    by: tuple[str, ...]
    measures: tuple[str, ...]
    min_clients: int
    max_client_share: float = LARGEST_SHARE


@dataclass(frozen=True, slots=True)
class Client:
    """Where the client's address stands.

    Attributes:
        field: The column; ``remote_addr``, or one that proxies wrote, an address or a list of hops.
        trusted_proxies: Networks as text, and ``unix:``; what stands left of other hops is not believed.
    """

    field: str
    trusted_proxies: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dimension:
    """A column of the policy's own.

    Attributes:
        name: Of the column.
        field: The field it tells of; a policy that drops that drops the column.
        column: The Parsed column that its patterns look at (``referer_host`` for the referrer).
        values: What it says, and the pattern that tells it; the first that fits decides.
    """

    name: str
    field: str
    column: str
    values: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Pages:
    """How paths are told apart and written.

    Attributes:
        index: File names that stand for their folder.
        drop_slash: Whether ``/a/`` is ``/a``.
        assets, downloads: Patterns of paths that are such, whatever their extension; assets decide first.
    """

    index: tuple[str, ...] = ()
    drop_slash: bool = False
    assets: tuple[str, ...] = ()
    downloads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A policy, resolved. Equal digests mean equal treatment.

    Attributes:
        name: The policy's name.
        digest: SHA-256 in hex over everything that decides what is published.
        methods: For each named field (`schema.PARSED` names; never `referer_host`) its method; absent means drop.
        fields: The Parsed columns that a run needs (`schema.PARSED` names; ``referer_host`` for `referer`,
            and `referer` itself where search terms stay; those of ``visitor_from`` too, even where it is dropped).
        columns: Key columns and ``scan`` columns that the policy yields, names in `schema.KEY_TYPES`, then its own.
        tables: The tables, in the policy's order.
        client: Where the client's address stands; everything said of ``remote_addr`` is about that address.
        visitor_from: Fields whose values make a visitor, of ``remote_addr`` and ``user_agent``.
        ipv4_prefix, ipv6_prefix: Bits kept where remote_addr is truncated.
        period: What one key lives for and one file holds; called a day elsewhere.
        query: Parameters that stay with a path, in this order.
        databases: What country and network owner are looked up in.
        identifiers: The organisation's own rules: name, and a regular expression of RE2.
        zone: Whose days and hours are counted.
        log_zone: For formats whose times carry no zone.
        site: The site of formats that log no host.
        format: ``[input] format``.
        max_rejects: Share of a segment's lines, 0 to 1.
        max_line_bytes: A longer line is a reject.
        seal_after: Past the later of a day's end and its first line's arrival.
        publish: ``open`` refreshes a day until it is sealed, ``sealed`` publishes once.
        delete_logs: Raw logs go once every byte of them counts and every day is sealed.
        signals: When a request is restricted, and what then becomes of it; None where the policy does not ask.
        pages: How paths are told apart and written.
        dimensions: Columns of the policy's own.
        keys: By field, the operator's key that its method takes; one that is not here has the day's.
    """

    name: str
    digest: str
    methods: Mapping[str, Method]
    fields: tuple[str, ...]
    columns: tuple[str, ...]
    tables: tuple[TablePlan, ...]
    client: Client
    visitor_from: tuple[str, ...]
    ipv4_prefix: int
    ipv6_prefix: int
    period: Period
    query: tuple[str, ...]
    databases: tuple[Database, ...]
    identifiers: tuple[tuple[str, str], ...]
    zone: ZoneInfo
    log_zone: ZoneInfo
    site: str
    format: str
    max_rejects: float
    max_line_bytes: int
    seal_after: timedelta
    publish: Literal["open", "sealed"]
    delete_logs: bool = False
    signals: Signals | None = None
    pages: Pages = Pages()
    dimensions: tuple[Dimension, ...] = ()
    keys: Mapping[str, NamedKey] = field(default_factory=dict)

    @property
    def follows_campaigns(self) -> bool:
        """Whether `CAMPAIGN` says where a visit came from: it may stay, and a table counts by that."""
        return CAMPAIGN in self.query and any(
            table.where in _BY_SOURCE or not _SOURCES.isdisjoint(table.by) for table in self.tables
        )

    def of_restricted(self) -> Plan:
        """Return what restricted requests go through; this Plan where there are none."""
        own = self.signals
        if own is None:
            return self
        return replace(
            self,
            methods=own.methods,
            columns=own.columns,
            ipv4_prefix=own.ipv4_prefix,
            ipv6_prefix=own.ipv6_prefix,
            query=own.query,
            keys=own.keys,
        )

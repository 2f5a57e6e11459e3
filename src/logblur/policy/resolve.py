"""Policy x schema -> Plan: what is parsed, what comes of it, and whether the tables can be made of that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Final, get_args
from zoneinfo import ZoneInfo

from logblur.errors import PolicyError
from logblur.policy.lint import lint, lint_overlaps
from logblur.policy.model import Policy, Table
from logblur.policy.plan import (
    CONTENT_TYPE,
    Client,
    Database,
    Dimension,
    Method,
    NamedKey,
    Pages,
    Plan,
    Signals,
    TablePlan,
)
from logblur.policy.rules import AnyRule, Encrypted, Pseudonym, Template, Truncate
from logblur.schema import KEY_TYPES, PARSED, SCHEMA_VERSION

_AGENT: Final[Mapping[str, tuple[Method, ...]]] = {"user_agent": ("family",)}

_REFERRER: Final[Mapping[str, tuple[Method, ...]]] = {"referer": ("domain", "origin", "path", "terms")}

YIELDS: Final[Mapping[str, Mapping[str, tuple[Method, ...]]]] = {
    "hour": {"time": ("hour", "minute", "second", "keep")},
    "site": {"host": ("keep",)},
    "method": {"method": ("keep",)},
    "status": {"status": ("keep",)},
    "status_class": {"status": ("class", "keep")},
    "path": {"path": ("template",)},
    "agent": _AGENT,
    "device": _AGENT,
    "os": _AGENT,
    "os_major": _AGENT,
    "browser": _AGENT,
    "browser_major": _AGENT,
    "bot": _AGENT,
    "bot_class": _AGENT,
    "referrer_domain": _REFERRER,
    "search_engine": _REFERRER,
    "search_terms": {"referer": ("terms",)},
    "social_network": _REFERRER,
    "ai_service": _REFERRER,
    "complete": {"status": ("keep",), "bytes_sent": ("keep",)},
    "referrer_origin": {"referer": ("origin", "path")},
    "referrer": {"referer": ("path",)},
    "country": {"remote_addr": ("country", "asn", "truncate")},
    "asn": {"remote_addr": ("asn", "truncate")},
    "network": {"remote_addr": ("truncate",)},  # an address kept whole is no network: its groups would be one client
}
"""Key column -> the fields it is made of -> the methods that yield it, weakest first (docs/design.md, section 5)."""

_OPTIONAL: Final = ("signals", "query", "databases", "identifiers", "pages", "dimensions", "keys")
"""Parts of a Plan that are no part of its digest where a policy does not ask for them."""

_KEPT: Final[tuple[Method, ...]] = tuple(method for method in get_args(Method)[::-1] if method != "drop")

TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "all": (),
    "human": ("user_agent",),
    "bot": ("user_agent",),
    "page": ("path", "status", "user_agent"),
    "search": ("path", "status", "referer", "user_agent"),
    "referral": ("path", "status", "referer", "user_agent"),
    "social": ("path", "status", "referer", "user_agent"),
    "ai_answers": ("path", "status", "referer", "user_agent"),
    "sites": ("path", "status", "referer", "user_agent"),
    "download": ("path", "status", "user_agent"),
    "error": ("status", "user_agent"),
}
"""Universe -> the fields by which a line is told to be in it. Publishing its counts publishes something of them."""


def resolve(policy: Policy, *, format: str | None = None) -> Plan:  # noqa: A002  # the option's name
    """Return the Plan that this policy comes to.

    Args:
        policy: What the file says.
        format: Read the logs so, whatever ``[input] format`` says.

    Raises:
        PolicyError: The policy cannot be defended (`lint.lint`), or asks for what its fields do not yield.

    Privacy:
        Deny by default: a field that the policy does not name is not even parsed, except the client's address
        (thresholds count clients), what makes a visitor, the time, and, where a table counts pages or
        downloads, the content type of what was sent.
    """
    lint(policy)
    rules = policy.fields.named()
    methods: dict[str, Method] = {name: rule.method for name, rule in rules.items()}
    dimensions = tuple(
        Dimension(name, own.field, "referer_host" if own.field == "referer" else own.field, (*own.values.items(),))
        for name, own in policy.dimensions.items()
    )
    databases = _databases(rules)
    for number, table in enumerate(policy.tables):
        _check(table, f"table[{number}]", methods, dimensions, databases)
    if policy.tables and methods.get("time") in {"second", "minute"}:
        raise PolicyError(
            f"{methods['time']!r} is for records (logblur filter, logblur.scan): tables know days and hours alone, so "
            "write 'hour' or 'day'",
            path="fields.time.method",
        )
    lint_overlaps(policy.tables, {**YIELDS, **{own.name: (own.field,) for own in dimensions}}, TOLD_BY)
    ipv4_prefix, ipv6_prefix = _prefixes(rules)
    signals = _signals(policy, rules, dimensions) if policy.signals else None
    asked = ("query",) if _query(rules) else ()
    typed = (CONTENT_TYPE,) if any("path" in TOLD_BY[table.where] for table in policy.tables) else ()
    said = policy.pages
    plan = Plan(
        name=policy.name,
        digest="",
        methods=methods,
        fields=_parsed(methods, (policy.input.client_address.field, *policy.visitor.from_, *asked, *typed), signals),
        columns=_columns(methods, dimensions, databases),
        tables=tuple(
            TablePlan(t.name, t.where, t.by, t.measures, t.min_clients, t.max_client_share) for t in policy.tables
        ),
        client=Client(policy.input.client_address.field, policy.input.client_address.trusted_proxies),
        visitor_from=policy.visitor.from_,
        ipv4_prefix=ipv4_prefix,
        ipv6_prefix=ipv6_prefix,
        period=policy.period,
        query=_query(rules),
        databases=databases,
        identifiers=tuple(policy.identifiers.items()),
        zone=ZoneInfo(policy.input.timezone),
        log_zone=ZoneInfo(policy.input.log_timezone),
        site=policy.input.site,
        format=policy.input.format if format is None else format,
        max_rejects=policy.input.max_rejects,
        max_line_bytes=policy.input.max_line_bytes,
        seal_after=policy.visitor.seal_after.span(),
        publish=policy.visitor.publish,
        delete_logs=policy.input.delete_logs,
        signals=signals,
        pages=Pages(said.index, said.trailing_slash == "drop", said.assets, said.downloads),
        dimensions=dimensions,
        keys=_keys(policy, rules),
    )
    return replace(plan, digest=_digest(plan))


def _prefixes(rules: Mapping[str, AnyRule]) -> tuple[int, int]:
    address = rules.get("remote_addr")
    return (address.ipv4_prefix, address.ipv6_prefix) if isinstance(address, Truncate) else (0, 0)


def _keys(policy: Policy, rules: Mapping[str, AnyRule]) -> Mapping[str, NamedKey]:
    """Return the key of each field whose rule names one."""
    return {
        name: NamedKey(rule.key, *policy.keys[rule.key].said(), rule.method)
        for name, rule in rules.items()
        if isinstance(rule, Pseudonym | Encrypted) and rule.key
    }


def _databases(rules: Mapping[str, AnyRule]) -> tuple[Database, ...]:
    """Return the databases that are named, with the build that each is now."""
    rule = rules.get("remote_addr")
    named = {column: getattr(rule, f"{column}_database", None) for column in ("country", "asn")}
    return tuple(
        Database(column, path, _build(path, f"fields.remote_addr.{column}_database"))
        for column, path in named.items()
        if path
    )


def _build(path: str, key: str) -> str:
    import maxminddb

    try:
        with maxminddb.open_database(path) as reader:
            about = reader.metadata()
    except (OSError, ValueError, maxminddb.InvalidDatabaseError):
        raise PolicyError("is no database in MaxMind's format that can be read", path=key) from None
    return f"{about.database_type} {about.build_epoch}"


def _query(rules: Mapping[str, AnyRule]) -> tuple[str, ...]:
    path = rules.get("path")
    return path.query.keep if isinstance(path, Template) and path.query else ()


def made_of(column: str, dimensions: Sequence[Dimension]) -> Mapping[str, tuple[Method, ...]]:
    """Return the fields that a column is made of, and the methods of each that yield it, weakest first."""
    own = next((dimension.field for dimension in dimensions if dimension.name == column), None)
    return YIELDS[column] if own is None else {own: _KEPT}


def _columns(
    methods: Mapping[str, Method], dimensions: Sequence[Dimension], databases: Sequence[Database]
) -> tuple[str, ...]:
    names = (*KEY_TYPES, *(dimension.name for dimension in dimensions))
    return tuple(column for column in names if not _lacking(column, methods, dimensions, databases))


def _signals(policy: Policy, rules: Mapping[str, AnyRule], dimensions: Sequence[Dimension]) -> Signals:
    """Return when a request is restricted, and what it then goes through: what rests on consent is dropped."""
    assert policy.signals is not None
    stricter = policy.signals.fields.named()
    kept = {
        name: rule
        for name, rule in rules.items()
        if name == "time" or not (policy.signals.consent and policy.ground_of(rule) == "consent")
    } | stricter
    methods: dict[str, Method] = {name: rule.method for name, rule in kept.items()}
    return Signals(
        tuple(sorted(policy.signals.consent.items())),
        tuple(sorted(policy.signals.objection.items())),
        policy.signals.visitors and policy.legal_basis != "consent",
        {name: method for name, method in methods.items() if method != "drop"},
        _columns(methods, dimensions, _databases(kept)),
        *_prefixes(kept),
        _query(kept),
        _keys(policy, kept),
    )


def _lacking(
    column: str, methods: Mapping[str, Method], dimensions: Sequence[Dimension], databases: Sequence[Database]
) -> str:
    """Return what a column lacks, in words; empty where the policy yields it."""
    for field, yielding in made_of(column, dimensions).items():
        if methods.get(field, "drop") not in yielding:
            wanted = " or ".join(repr(method) for method in yielding)
            return f"it takes fields.{field} with method {wanted}; the policy says {methods.get(field, 'drop')!r}"
    if column in {"country", "asn"} and column not in {database.column for database in databases}:
        return f"it takes fields.remote_addr.{column}_database, a database in MaxMind's format"
    return ""


def _check(
    table: Table,
    path: str,
    methods: Mapping[str, Method],
    dimensions: Sequence[Dimension],
    databases: Sequence[Database],
) -> None:
    """Refuse a table that the policy's fields do not yield."""
    dropped = {field for field in PARSED.names if methods.get(field, "drop") == "drop"}
    if "time" in dropped:
        raise PolicyError("every table is cut by day: time cannot be dropped; write method 'day'", path="fields.time")
    if missing := [field for field in TOLD_BY[table.where] if field in dropped]:
        told, lost = " and ".join(TOLD_BY[table.where]), " and ".join(missing)
        raise PolicyError(
            f"{table.where!r} is told by {told}; the policy drops {lost} (table {table.name!r})", path=f"{path}.where"
        )
    for column in table.by:
        if lacking := _lacking(column, methods, dimensions, databases):
            raise PolicyError(f"cannot have {column!r}: {lacking} (table {table.name!r})", path=f"{path}.by")
    if "bytes" in table.measures and (method := methods.get("bytes_sent", "drop")) != "keep":
        raise PolicyError(
            f"'bytes' sums bytes_sent: write method 'keep'; the policy says {method!r} (table {table.name!r})",
            path=f"{path}.measures",
        )


def _parsed(methods: Mapping[str, Method], also: Iterable[str], signals: Signals | None) -> tuple[str, ...]:
    """Return the columns that a run reads, in the schema's order, then those that are in no schema."""
    named = {"referer_host" if name == "referer" else name for name, method in methods.items() if method != "drop"}
    named |= {"referer"} if methods.get("referer") in {"origin", "path", "terms"} else set()
    wanted = named | {"time", "remote_addr"} | set(also) | set(signals.fields if signals else ())
    return tuple(name for name in PARSED.names if name in wanted) + tuple(sorted(wanted.difference(PARSED.names)))


def _digest(plan: Plan) -> str:
    """Return SHA-256 over what decides what is published.

    Neither the name nor how logs are read, when they are refused and when they go is part of it: an operator may read
    one more format, or bear with more rejects, in the middle of a day.
    """
    facts = asdict(plan) | {
        "methods": {
            name: method for name, method in plan.methods.items() if method != "drop"
        },  # unnamed is dropped too
        "schema": SCHEMA_VERSION,
        "keys": _named(plan.keys),  # a key that moves is the same key
    }
    if plan.signals:
        facts["signals"] |= {"keys": _named(plan.signals.keys)}
        if not plan.signals.keys:
            del facts["signals"]["keys"]
    of_reading = ("format", "max_rejects", "max_line_bytes", "delete_logs")
    unused = (name for name in _OPTIONAL if getattr(plan, name) in (None, (), Pages(), {}))
    for name in ("name", "digest", *of_reading, *unused):
        del facts[name]
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), default=str)  # str: zones and durations
    return hashlib.sha256(canonical.encode()).hexdigest()


def _named(keys: Mapping[str, NamedKey]) -> Mapping[str, str]:
    return {field: key.name for field, key in keys.items()}

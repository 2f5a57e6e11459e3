"""What a policy does, in words, before it does it: for the operator and for whoever answers for data protection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from logblur.periods import Period
from logblur.policy.model import Policy
from logblur.policy.plan import CAMPAIGN, Client, Method, Plan, TablePlan
from logblur.policy.resolve import made_of
from logblur.policy.rules import Fields
from logblur.schema import FINDINGS, PARSED, Category, metadata_of

RECORD: Final[Mapping[Method, str]] = {
    "pseudonym": "pseudonym under {key}, in records; personal data",
    "keep": "as logged but for addresses within, which are treated as the client's, in records; personal data",
}
"""What is left of a field that only some servers log."""

_BUCKET: Final = "the largest of 0, 1, 2, 5, 10, 20, 50 … that is no larger, in records"
_READS: Final = "in records; personal data, and who has the key reads the address"

BECOMES: Final[Mapping[str, Mapping[Method, str]]] = {
    "time": {
        "second": "second, in records",
        "minute": "minute, in records",
        "hour": "day and hour",
        "day": "day",
        "keep": "day and hour in tables, the whole time in records",
    },
    "remote_addr": {
        "truncate": "network: the first {ipv4} bits of IPv4, {ipv6} of IPv6",
        "asn": "the network's owner by number, looked up on the whole address",
        "country": "country, looked up on the whole address",
        "pseudonym": "pseudonym under {key}, in records; personal data",
        "ipcrypt-deterministic": f"address encrypted under {{key}}, the same each time, {_READS}",
        "ipcrypt-pfx": f"address encrypted under {{key}}, neighbours stay neighbours, {_READS}",
        "ipcrypt-nd": f"address encrypted under {{key}}, another each time, {_READS}",
        "ipcrypt-ndx": f"address encrypted under {{key}}, another each time, {_READS}",
        "cryptopan": f"address encrypted under {{key}}, neighbours stay neighbours, {_READS}",
        "keep": "the whole address, in records; personal data",
    },
    "remote_user": {
        "pseudonym": "pseudonym under {key}, in records; personal data",
        "keep": "the whole user name, in records; personal data",
    },
    "host": {"keep": "site as logged"},
    "method": {"keep": "method; one that is not standard becomes (unusual)"},
    "path": {"template": "path without its query, variable parts replaced"},
    "status": {"keep": "status as logged", "class": "class of the status, such as 4xx"},
    "bytes_sent": {"keep": "size, summed", "bucket": _BUCKET},
    "referer": {
        "terms": "as domain, and what was searched for where the engine says it, swept",
        "path": "site and path, variable parts replaced, without its query",
        "origin": "site: scheme and host",
        "domain": "registrable domain, and search engine, social network or answering service",
    },
    "user_agent": {"family": "browser, system, device and bot, by name and major version"},
    "bytes_received": {"keep": "size of the request, in records", "bucket": _BUCKET},
    "duration": {"keep": "duration of the answer, in records", "bucket": _BUCKET},
    "forwarded_for": RECORD,
    "cookies": RECORD,
}
"""Field -> method -> what is left of it. Dropping leaves nothing anywhere."""

MEANS: Final[Mapping[str, str]] = {
    "all": "every parsed line",
    "human": "requests not made by bots",
    "bot": "requests made by bots",
    "page": "pages that people read",
    "search": "pages that people came to from a search engine",
    "referral": "pages that people came to from another site, search engines apart",
    "social": "pages that people came to from a social network",
    "ai_answers": "pages that people came to from a service that answers in its own words",
    "sites": "pages that people came to from another site that is none of these",
    "download": "files that people downloaded",
    "error": "people's requests that ended in 4xx or 5xx",
}
"""Universe -> which lines a table counts."""


@dataclass(frozen=True, slots=True)
class FieldExplained:
    """What becomes of one field.

    Attributes:
        name: The field.
        method: Its method; ``drop`` where the policy does not name it.
        becomes: What is left of it, in words.
        columns: The key columns that it yields, alone or with other fields.
        reason: The policy's reason, or why the field is dropped; may be empty.
    """

    name: str
    method: Method
    becomes: str
    columns: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class TableExplained:
    """What one table publishes, in words: which lines it counts, for which purpose, on which legal basis."""

    table: TablePlan
    counts: str
    purpose: str
    legal_basis: str


@dataclass(frozen=True, slots=True)
class HeldExplained:
    """What becomes of one kind of personal data.

    Attributes:
        category: What a privacy notice calls it.
        data: A field, or a kind of finding inside text.
        becomes: What is left of it, in words.
        purpose, legal_basis: Those of the field, or the policy's; empty where nothing of it is kept.
        kept: How long, in words.
    """

    category: Category
    data: str
    becomes: str
    purpose: str
    legal_basis: str
    kept: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a policy does.

    Attributes:
        name: The policy's name.
        digest: The Plan's digest, as in every file written under it.
        purpose: What the data is for.
        legal_basis: The ground for it, a name of GDPR Art. 6(1).
        retention: How long the tables are kept.
        fields: Every field that a log can have, in the schema's order.
        tables: The tables, in the policy's order; none where the policy is for records.
        signals: Sentences on what becomes of restricted requests; none where the policy does not restrict any.
        tokens: Sentences on how people are counted, and what of them is kept how long.
        held: What becomes of each kind of personal data, by category in the order of `schema.Category`.
    """

    name: str
    digest: str
    purpose: str
    legal_basis: str
    retention: str
    fields: tuple[FieldExplained, ...]
    tables: tuple[TableExplained, ...]
    signals: tuple[str, ...]
    tokens: tuple[str, ...]
    held: tuple[HeldExplained, ...]


def explain(policy: Policy, plan: Plan) -> Explanation:
    """Return what this policy, resolved to this plan, does with every field, table and token."""
    rules = policy.fields.named()
    fields = tuple(
        _field(name, plan, rules[name].reason if name in rules else "the policy does not name it")
        for name in dict.fromkeys((*Fields.model_fields, *rules))
    )
    return Explanation(
        name=policy.name,
        digest=plan.digest,
        purpose=str(policy.purpose),
        legal_basis=policy.legal_basis,
        retention=str(policy.retention),
        fields=fields,
        tables=tuple(
            TableExplained(
                table, MEANS[table.where], str(said.purpose or policy.purpose), said.legal_basis or policy.legal_basis
            )
            for table, said in zip(plan.tables, policy.tables, strict=True)
        ),
        signals=restrictions(plan),
        tokens=_tokens(policy, plan),
        held=_held(policy, plan, fields),
    )


def _held(policy: Policy, plan: Plan, fields: Iterable[FieldExplained]) -> tuple[HeldExplained, ...]:
    rules = policy.fields.named()
    known = {field.name: field for field in fields}
    held = []
    for name in dict.fromkeys((*PARSED.names, *rules)):
        if name == "referer_host":  # a part of referer
            continue
        category, rule = Category(metadata_of(name)["category"]), rules.get(name)
        becomes = known[name].becomes if name in known else "nothing; not even parsed"
        ground = str((rule and rule.purpose) or policy.purpose), (rule and rule.legal_basis) or policy.legal_basis
        if rule is not None and rule.method != "drop":
            held.append(HeldExplained(category, name, becomes, *ground, str(policy.retention)))
        elif name in plan.visitor_from or name == "remote_addr":
            until = f"as a token, until the day is sealed ({policy.visitor.seal_after})"
            held.append(HeldExplained(category, name, becomes, *ground, until))
        else:
            held.append(HeldExplained(category, name, becomes, "", "", "not at all"))
    template = plan.methods.get("path", "drop") == "template"
    for category in Category:
        if kinds := [kind for kind, own in FINDINGS.items() if own is category]:
            words = " ".join(f"{{{kind}}}" for kind in kinds)
            becomes = f"{words} in its place" if template else "nothing; no text that may hold it is kept"
            held.append(HeldExplained(category, f"{', '.join(kinds)} in paths", becomes, "", "", "not at all"))
    order = list(Category)
    return tuple(sorted(held, key=lambda entry: order.index(entry.category)))


def _field(name: str, plan: Plan, reason: str | None) -> FieldExplained:
    method = plan.methods.get(name, "drop")
    if method == "drop":
        becomes = "nothing; read, and let go of" if name in plan.fields else "nothing; not even parsed"
        if name in {"remote_addr", plan.client.field, *plan.visitor_from}:
            becomes = "nothing; read for tokens alone"
        if name == "time":
            becomes = "nothing; read to tell the day"
    else:
        becomes = left_of(name, method, plan)
        if name == "path" and plan.query:
            becomes = f"path, variable parts replaced, with the parameters {', '.join(plan.query)}, their values swept"
        if name == "path" and plan.follows_campaigns:
            becomes += f"; a {CAMPAIGN} that names where the visit came from is told there instead"
    columns = tuple(column for column in plan.columns if name in made_of(column, plan.dimensions))
    return FieldExplained(name, method, becomes, columns, reason or "")


def left_of(name: str, method: Method, plan: Plan) -> str:
    """Return what is left of a field, in words; nothing is left of one that is dropped."""
    key = f"the key {plan.keys[name].name!r}" if name in plan.keys else "the day's key"
    return BECOMES.get(name, RECORD)[method].format(ipv4=plan.ipv4_prefix, ipv6=plan.ipv6_prefix, key=key)


def restrictions(plan: Plan) -> tuple[str, ...]:
    """Return sentences on when a request is restricted and what then is left of it; none where none is."""
    signals = plan.signals
    if signals is None:
        return ()
    when = []
    if signals.consent:
        when.append(f"none of {', '.join(name for name, _ in signals.consent)} says yes")
    if signals.objection:
        when.append(f"one of {', '.join(name for name, _ in signals.objection)} objects")
    restricted = plan.of_restricted()
    differs = [
        f"{name}: {_field(name, restricted, None).becomes}"
        for name in dict.fromkeys((*Fields.model_fields, *plan.methods))
        if _field(name, restricted, None).becomes != _field(name, plan, None).becomes
    ]
    if not signals.visitors:
        differs.append("not among the visitors")
    return (f"A request is restricted where {' or '.join(when)}. Of such requests less is kept. {'; '.join(differs)}.",)


def _client(client: Client) -> str:
    if not client.trusted_proxies:
        return f"{client.field}, however it is spelled"
    hops = f"the last hop in {client.field} that is no trusted proxy ({', '.join(client.trusted_proxies)})"
    if client.field == "remote_addr":
        return hops
    return f"{hops}, where remote_addr is one or is not logged, and else remote_addr"


def _shares(plan: Plan) -> tuple[str, ...]:
    """Say how much of a row one client may make, and in which tables."""
    tables: dict[float, list[str]] = {}
    for table in plan.tables:
        tables.setdefault(table.max_client_share, []).append(table.name)
    return tuple(
        f"In {', '.join(names)} one client may make "
        + (
            "all of a row."
            if share == 1
            else f"{share * 100:g} % of a row's requests and bytes; what is more rolls up."
        )
        for share, names in tables.items()
    )


def _tokens(policy: Policy, plan: Plan) -> tuple[str, ...]:
    everywhere = (
        f"A visitor is a token made from {' and '.join(plan.visitor_from)}.",
        f"The client's address is {_client(plan.client)}.",
        "A client is a token made from that address: an IPv4 address, an IPv6 /56, or the text that stands instead.",
        "Tokens are made from the parsed values before [fields] acts, also where a field is dropped. Only the tokens "
        "are kept, under a random key of the day; while that key exists they are personal data.",
    )
    if not plan.tables:
        return everywhere
    weeks = "A day of this policy is an ISO week: one key, one file and one count of visitors for each."
    again = "once, when it is sealed" if plan.publish == "sealed" else "anew with every run until it is sealed"
    return (
        *everywhere,
        *([weeks] if plan.period == Period.WEEK else []),
        "The measure visitors counts the distinct visitors of a day; min_clients is about its distinct clients.",
        *_shares(plan),
        f"A day is published {again}.",
        f"A day is sealed {policy.visitor.seal_after} past its end or the arrival of its first line, whichever is "
        "later: its key is destroyed, and with it every token.",
        f"Its tables go {policy.retention} after its end, with the run that starts then.",
        "Raw logs go when every byte of them is counted and every day of theirs is sealed."
        if plan.delete_logs
        else "Raw logs stay where they are.",
    )

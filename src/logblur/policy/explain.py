"""What a policy does, in words, before it does it: for the operator and for whoever answers for data protection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from logblur.policy.model import Fields, Policy
from logblur.policy.plan import Method, Plan, TablePlan
from logblur.policy.resolve import YIELDS

BECOMES: Final[Mapping[str, Mapping[Method, str]]] = {
    "time": {
        "hour": "day and hour",
        "day": "day",
        "keep": "day and hour in tables, the whole time in records",
    },
    "remote_addr": {
        "truncate": "network: the first {ipv4} bits of IPv4, {ipv6} of IPv6",
        "pseudonym": "pseudonym under the day's key, in records; personal data",
        "keep": "the whole address, in records; personal data",
    },
    "remote_user": {
        "pseudonym": "pseudonym under the day's key, in records; personal data",
        "keep": "the whole user name, in records; personal data",
    },
    "host": {"keep": "site as logged"},
    "method": {"keep": "method; one that is not standard becomes (unusual)"},
    "path": {"template": "path without its query, variable parts replaced"},
    "status": {"keep": "status as logged", "class": "class of the status, such as 4xx"},
    "bytes_sent": {"keep": "size, summed"},
    "referer": {"domain": "registrable domain and search engine"},
    "user_agent": {"family": "browser, system, device and bot, by name and major version"},
}
"""Field -> method -> what is left of it. Dropping leaves nothing anywhere."""

MEANS: Final[Mapping[str, str]] = {
    "all": "every parsed line",
    "human": "requests not made by bots",
    "bot": "requests made by bots",
    "page": "pages that people read",
    "search": "pages that people came to from a search engine",
    "referral": "pages that people came to from another site, search engines apart",
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
    """What one table publishes; `counts` says in words which lines it counts."""

    table: TablePlan
    counts: str


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
        tokens: Sentences on how people are counted, and what of them is kept how long.
    """

    name: str
    digest: str
    purpose: str
    legal_basis: str
    retention: str
    fields: tuple[FieldExplained, ...]
    tables: tuple[TableExplained, ...]
    tokens: tuple[str, ...]


def explain(policy: Policy, plan: Plan) -> Explanation:
    """Return what this policy, resolved to this plan, does with every field, table and token."""
    rules = policy.fields.named()
    return Explanation(
        name=policy.name,
        digest=plan.digest,
        purpose=policy.purpose,
        legal_basis=policy.legal_basis,
        retention=str(policy.retention),
        fields=tuple(
            _field(name, plan, rules[name].reason if name in rules else "the policy does not name it")
            for name in Fields.model_fields
        ),
        tables=tuple(TableExplained(table, MEANS[table.where]) for table in plan.tables),
        tokens=_tokens(policy, plan),
    )


def _field(name: str, plan: Plan, reason: str | None) -> FieldExplained:
    method = plan.methods.get(name, "drop")
    if method == "drop":
        becomes = "nothing; read for tokens alone" if name in plan.fields else "nothing; not even parsed"
        if name == "time":
            becomes = "nothing; read to tell the day"
    else:
        becomes = BECOMES[name][method].format(ipv4=plan.ipv4_prefix, ipv6=plan.ipv6_prefix)
    columns = tuple(column for column in plan.columns if name in YIELDS[column])
    return FieldExplained(name, method, becomes, columns, reason or "")


def _tokens(policy: Policy, plan: Plan) -> tuple[str, ...]:
    everywhere = (
        f"A visitor is a token made from {' and '.join(plan.visitor_from)}.",
        "A client is a token made from remote_addr: an IPv4 address, an IPv6 /56, or the text that stands instead.",
        "Tokens are made from the parsed values before [fields] acts, also where a field is dropped. Only the tokens "
        "are kept, under a random key of the day; while that key exists they are personal data.",
    )
    if not plan.tables:
        return everywhere
    again = "once, when it is sealed" if plan.publish == "sealed" else "anew with every run until it is sealed"
    return (
        *everywhere,
        "The measure visitors counts the distinct visitors of a day; min_clients is about its distinct clients.",
        f"A day is published {again}.",
        f"A day is sealed {policy.visitor.seal_after} past its end or the arrival of its first line, whichever is "
        "later: its key is destroyed, and with it every token.",
    )

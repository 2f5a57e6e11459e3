"""Notice, record and balance: the texts that follow from a policy, in Latvian, English or German.

Drafting help, not legal advice. Each line cites the policy's key that it follows from; what the policy does not say is
a marked gap. Only what the policy keeps is named, and everything it keeps is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal

from logblur.periods import Period
from logblur.policy.model import Policy
from logblur.policy.plan import Plan
from logblur.policy.resolve import resolve
from logblur.policy.rules import Keep, Words
from logblur.privacy.document import Document, Item, Language, Section
from logblur.privacy.phrases import Phrases, phrases
from logblur.schema import KEY_TYPES, PARSED, Category, metadata_of

Kind = Literal["notice", "record", "balance"]


def write(kind: Kind, policy: Policy, language: Language) -> Document:
    """Return a text about what this policy does.

    Args:
        kind: ``notice``, the passage for a site's privacy notice (GDPR Art. 13); ``record``, the entry in the record of
            processing activities (Art. 30); ``balance``, the skeleton of a balancing of interests (Art. 6(1)(f)).
        policy: What the file says.
        language: The language of the text; words of the policy stand as they are.

    Raises:
        PolicyError: The policy cannot be carried out or defended.
    """
    words, plan = phrases(language), resolve(policy)
    document = words.tree["document"]
    return Document(
        language,
        document["title"][kind],
        document["draft"].format(policy=f"{policy.name}, {plan.digest[:12]}"),
        document["cites"],
        tuple(
            Section(words.of("heading", heading), tuple(items))
            for heading, items in _TEXTS[kind](words, policy, plan)
            if items
        ),
    )


Sections = Iterable[tuple[str, list[Item]]]


def _notice(words: Phrases, policy: Policy, plan: Plan) -> Sections:
    collected = [words.say("automatic", "fields"), *_kept(words, policy, plan), *_counted(words, plan)]
    return [
        ("controller", _controller(words, policy)),
        ("collected", [*collected, *_remains(words, plan)]),
        ("subjects", [words.say("subjects", "fields")]),
        ("purposes", [*_purposes(words, policy, plan), *_interest(words, policy)]),
        ("recipients", _receivers(words, "recipients", policy.recipients)),
        ("transfers", _receivers(words, "transfers", policy.transfers)),
        ("retention", _retention(words, policy)),
        ("rights", _rights(words, policy, plan)),
    ]


def _record(words: Phrases, policy: Policy, plan: Plan) -> Sections:
    return [
        ("activity", [words.say("activity", "name", policy=policy.name)]),
        ("controller", _controller(words, policy)),
        ("purposes", _purposes(words, policy, plan)),
        ("subjects", [words.say("subjects", "fields")]),
        ("data", [*_kept(words, policy, plan), *_counted(words, plan), *_remains(words, plan)]),
        ("recipients", _receivers(words, "recipients", policy.recipients)),
        ("transfers", _receivers(words, "transfers", policy.transfers)),
        ("retention", _retention(words, policy)),
        ("security", _measures(words, policy, plan)),
    ]


def _balance(words: Phrases, policy: Policy, plan: Plan) -> Sections:
    if "legitimate-interests" not in policy.grounds():
        basis = words.of("basis", policy.legal_basis)
        return [("interest", [words.say("not_needed", "legal_basis", basis=basis)])]
    said = policy.balancing
    raw = [
        words.say("kept_raw", f"fields.{name}.reason", what=_what(words, name, plan), reason=rule.reason)
        for name, rule in policy.fields.named().items()
        if isinstance(rule, Keep)
    ]
    own = [words.stated("safeguards", "balancing.safeguards", said.safeguards, "safeguards")] if said.safeguards else []
    return [
        ("interest", [*_interest(words, policy), *_purposes(words, policy, plan)]),
        ("necessity", [words.stated("necessity", "balancing.necessity", said.necessity, "necessity"), *raw]),
        (
            "impact",
            [
                words.stated("impact", "balancing.impact", said.impact, "impact"),
                *_kept(words, policy, plan),
                *_counted(words, plan),
                *_remains(words, plan),
            ],
        ),
        ("safeguards", [*_measures(words, policy, plan), *_retention(words, policy), *own]),
        ("conclusion", [words.gap("balancing.conclusion")]),
    ]


_TEXTS: Final[dict[Kind, Callable[[Phrases, Policy, Plan], Sections]]] = {
    "notice": _notice,
    "record": _record,
    "balance": _balance,
}


def _controller(words: Phrases, policy: Policy) -> list[Item]:
    said = policy.controller
    optional = {"address": said.address, "dpo": said.dpo}
    return [
        words.stated("controller", "controller.name", said.name, "name"),
        words.stated("contact", "controller.contact", said.contact, "contact"),
        *(words.stated(key, f"controller.{key}", value, key) for key, value in optional.items() if value),
    ]


def _what(words: Phrases, name: str, plan: Plan) -> str:
    key = words.of("key", "named" if name in plan.keys else "day")
    return words.field(name, plan.methods[name], ipv4=plan.ipv4_prefix, ipv6=plan.ipv6_prefix, key=key)


def _kept(words: Phrases, policy: Policy, plan: Plan) -> list[Item]:
    """Return a line for each field of which something is kept, by category."""
    kept = [name for name in policy.fields.named() if plan.methods[name] != "drop"]
    categories = {name: Category(metadata_of(name)["category"]) for name in kept}
    kept.sort(key=lambda name: (list(Category).index(categories[name]), PARSED.get_field_index(name)))
    items = [
        words.say(
            "item",
            f"fields.{name}",
            category=words.of("category", categories[name]),
            what=_what(words, name, plan),
        )
        for name in kept
    ]
    for database in plan.databases:
        if database.column != plan.methods["remote_addr"]:
            looked_up = words.field("remote_addr", database.column)
            cite = f"fields.remote_addr.{database.column}_database"
            items.append(words.say("item", cite, category=words.of("category", Category.META), what=looked_up))
    if plan.query:
        items.append(words.say("parameters", "fields.path.query", names=", ".join(plan.query)))
    if plan.signals:
        restricted = plan.of_restricted()
        what = [_what(words, name, restricted) for name in kept if name in restricted.methods]
        items.append(words.say("restricted", "signals", what="; ".join(what) or "–"))
    return items


def _counted(words: Phrases, plan: Plan) -> list[Item]:
    """Return what is read to count people, whatever becomes of it."""
    read = dict.fromkeys(["remote_addr", *plan.visitor_from])
    return [
        words.say("tokens", "visitor.from", what=words.listed([words.of("token", name) for name in read])),
        *_weeks(words, plan),
    ]


def _weeks(words: Phrases, plan: Plan) -> list[Item]:
    return [words.say("weeks", "period")] if plan.period == Period.WEEK else []


def _remains(words: Phrases, plan: Plan) -> list[Item]:
    if not plan.tables:
        return [words.say("records", "fields")]
    return [words.say("tables", "table")] + [
        words.say(
            "table",
            f"table[{number}]",
            universe=words.of("universe", table.where),
            columns=", ".join(words.of("columns", column) if column in KEY_TYPES else column for column in table.by),
            k=table.min_clients,
        )
        for number, table in enumerate(plan.tables)
    ]


def _purposes(words: Phrases, policy: Policy, plan: Plan) -> list[Item]:
    """Return the policy's purpose and ground, then those of fields and tables that have their own."""
    items = [
        words.say(
            "purpose",
            "purpose",
            "legal_basis",
            purpose=words.purpose(policy.purpose),
            basis=words.of("basis", policy.legal_basis),
        )
    ]
    kept = {name: rule for name, rule in policy.fields.named().items() if plan.methods[name] != "drop"}
    owners = {f"fields.{name}": (_what(words, name, plan), rule) for name, rule in kept.items()}
    tables = {
        f"table[{number}]": (words.of("universe", table.where), table) for number, table in enumerate(policy.tables)
    }
    for key, (name, said) in (owners | tables).items():
        if said.purpose or said.legal_basis:
            cites = (f"{key}.{part}" for part in ("purpose", "legal_basis") if getattr(said, part))
            purpose, basis = said.purpose or policy.purpose, said.legal_basis or policy.legal_basis
            says = {"purpose": words.purpose(purpose), "basis": words.of("basis", basis), "what": name}
            items.append(words.say("purpose_of", *cites, **says))
    return items


def _interest(words: Phrases, policy: Policy) -> list[Item]:
    if "legitimate-interests" not in policy.grounds():
        return []
    return [words.stated("interest", "balancing.interest", policy.balancing.interest, "interest")]


def _receivers(words: Phrases, key: str, said: tuple[Words, ...] | None) -> list[Item]:
    if said is None:
        return [words.gap(key)]
    if not said:
        return [words.say(f"no_{key}", key)]
    return [words.stated("recipient", f"{key}[{number}]", one, "recipient") for number, one in enumerate(said)]


def _retention(words: Phrases, policy: Policy) -> list[Item]:
    return [
        words.say("retention", "retention", retention=words.duration(policy.retention)),
        words.say("sealing", "visitor.seal_after", seal_after=words.duration(policy.visitor.seal_after)),
    ]


def _rights(words: Phrases, policy: Policy, plan: Plan) -> list[Item]:
    """Return the rights of the people concerned; some depend on the ground (GDPR Art. 7(3), 20(1), 21(1))."""
    grounds = policy.grounds()
    keys = [
        "access",
        "rectification",
        "erasure",
        "restriction",
        *(["portability"] if grounds & {"consent", "contract"} else []),
        *(["object"] if grounds & {"legitimate-interests", "public-task"} else []),
        *(["withdraw"] if "consent" in grounds else []),
    ]
    authority = policy.controller.authority
    complain = (
        words.stated("right_complain", "controller.authority", authority, "authority")
        if authority
        else words.say("right_complain", "controller.authority", authority=words.of("say", "authority"))
    )
    items = [*(words.say(f"right_{key}", "legal_basis") for key in keys), complain]
    return [*items, words.say("unidentified", "table")] if plan.tables else items


def _measures(words: Phrases, policy: Policy, plan: Plan) -> list[Item]:
    """Return how the data are protected, as far as the policy decides it (GDPR Art. 25 and 32)."""
    seal_after = words.duration(policy.visitor.seal_after)
    once = [words.say("published_once", "visitor.publish")] if plan.publish == "sealed" and plan.tables else []
    encrypted = [words.say("encryption", "visitor.seal_after")] if plan.tables else []
    return [
        words.say("deny", "fields"),
        words.say("key", "visitor.from", "visitor.seal_after", seal_after=seal_after),
        *_weeks(words, plan),
        *(
            words.say("threshold", f"table[{number}].min_clients", table=table.name, k=table.min_clients)
            for number, table in enumerate(plan.tables)
        ),
        *encrypted,
        *once,
    ]

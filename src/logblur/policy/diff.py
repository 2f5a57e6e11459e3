"""What changes for the people concerned when one policy takes the place of another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

from logblur.policy.explain import MEANS, left_of, restrictions
from logblur.policy.model import Duration, Policy, Table
from logblur.policy.plan import Method, Plan
from logblur.policy.resolve import resolve
from logblur.policy.rules import Fields, Truncate

Effect = Literal["less", "more", "other"]
"""Whether less, or more, of people is kept, shown or told; other where neither can be said."""

SUBJECTS: Final = {
    "time": "times",
    "remote_addr": "addresses",
    "remote_user": "user names",
    "host": "sites",
    "method": "request methods",
    "path": "pages and files",
    "status": "status",
    "bytes_sent": "sizes",
    "referer": "referrers",
    "user_agent": "browsers and devices",
    "bytes_received": "sizes of requests",
    "duration": "durations",
    "forwarded_for": "addresses that proxies tell",
    "cookies": "cookies",
}
"""What people call a field."""

TOLD: Final[tuple[Method, ...]] = get_args(Method)[::-1]
"""Methods, from the one that tells least; each field has a few of them."""

_DAYS: Final = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30.44, "year": 365.25}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that changes: ``subject: before -> after``."""

    subject: str
    before: str
    after: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.subject}: {self.before} -> {self.after}"


def diff(before: Policy, after: Policy) -> tuple[Change, ...]:
    """Return what changes for the people concerned, in the order of a policy file; nothing where nothing does.

    Raises:
        PolicyError: Either cannot be carried out or defended.
    """
    plans = resolve(before), resolve(after)
    return (
        *_said(before, after),
        *(change for name in _names(before, after) for change in _field(name, before, after, plans)),
        *_signals(plans),
        *_visitor(before, after),
        *_own(before, after),
        *_tables(before, after),
    )


def _names(before: Policy, after: Policy) -> dict[str, None]:
    return dict.fromkeys((*Fields.model_fields, *before.fields.named(), *after.fields.named()))


def _changed(subject: str, before: object, after: object, effect: Effect = "other") -> Iterator[Change]:
    if before != after:
        yield Change(subject, _shown(before), _shown(after), effect)


def _shown(value: object) -> str:
    if value is None or value == "":
        return "(not said)"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _longer(before: Duration, after: Duration) -> Effect:
    lengths = (before.count * _DAYS[before.unit], after.count * _DAYS[after.unit])
    return "more" if lengths[1] > lengths[0] else "less"


def _said(before: Policy, after: Policy) -> Iterator[Change]:
    yield from _changed("purpose", before.purpose, after.purpose)
    yield from _changed("legal basis", before.legal_basis, after.legal_basis)
    yield from _changed("kept for", before.retention, after.retention, _longer(before.retention, after.retention))
    stay = {False: "kept", True: "deleted when they are counted and their days sealed"}
    logs = (before.input.delete_logs, after.input.delete_logs)
    yield from _changed("raw logs are", stay[logs[0]], stay[logs[1]], "less" if logs[1] else "more")
    for name in ("recipients", "transfers"):
        old, new = getattr(before, name), getattr(after, name)
        added = set(new or ()) - set(old or ())
        yield from _changed(name, old, new, "more" if added else "less" if old and new is not None else "other")
    for name in type(before.controller).model_fields:
        yield from _changed(f"controller, {name}", getattr(before.controller, name), getattr(after.controller, name))
    for name in type(before.balancing).model_fields:
        yield from _changed(f"balancing, {name}", getattr(before.balancing, name), getattr(after.balancing, name))
    yield from _changed("counted by", before.period, after.period)
    yield from _changed("days and hours counted in", before.input.timezone, after.input.timezone)


def _field(name: str, before: Policy, after: Policy, plans: tuple[Plan, Plan]) -> Iterator[Change]:
    subject = SUBJECTS.get(name, name)
    rules = before.fields.named().get(name), after.fields.named().get(name)
    methods = tuple(plan.methods.get(name, "drop") for plan in plans)
    if isinstance(rules[0], Truncate) and isinstance(rules[1], Truncate):
        for family in ("ipv4", "ipv6"):
            old, new = (getattr(rule, f"{family}_prefix") for rule in rules)
            label = subject if family == "ipv4" else f"{subject} (IPv6)"
            yield from _changed(label, f"/{old}", f"/{new}", "more" if new > old else "less")
    elif methods[0] != methods[1]:
        told = tuple(TOLD.index(method) for method in methods)
        was, becomes = (_becomes(name, method, plan) for method, plan in zip(methods, plans, strict=True))
        yield Change(subject, was, becomes, "more" if told[1] > told[0] else "less")
    elif plans[0].keys.get(name) != plans[1].keys.get(name):
        was, becomes = (_becomes(name, methods[0], plan) for plan in plans)
        dies = tuple(name not in plan.keys for plan in plans)
        yield from _changed(subject, was, becomes, "other" if dies[0] == dies[1] else "less" if dies[1] else "more")
    if name == "path":
        old, new = (plan.query for plan in plans)
        effect: Effect = "more" if set(old) < set(new) else "less" if set(new) < set(old) else "other"
        yield from _changed(f"{subject}, parameters of the query", old, new, effect)
    for part in ("purpose", "legal_basis"):
        own = [rule and getattr(rule, part) for rule in rules]
        if any(own) and "drop" not in methods:
            old, new = (said or getattr(policy, part) for said, policy in zip(own, (before, after), strict=True))
            yield from _changed(f"{subject}, {part.replace('_', ' ')}", old, new)


def _becomes(name: str, method: Method, plan: Plan) -> str:
    if method == "drop":
        return "nothing"
    return left_of(name, method, plan)


def _signals(plans: tuple[Plan, Plan]) -> Iterator[Change]:
    """Whether requests are restricted, and how: what they say of it is compared, not what is meant."""
    old, new = (" ".join(restrictions(plan)) for plan in plans)
    effect: Effect = "other" if old and new else "less" if new else "more"
    yield from _changed("requests that object or do not consent", old, new, effect)
    known, found = (tuple(name for name, _ in plan.identifiers) for plan in plans)
    yield from _changed("identifiers of the organisation", known, found)


def _visitor(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = before.visitor, after.visitor
    yield from _changed("a visitor is", " and ".join(old.from_), " and ".join(new.from_))
    yield from _changed("keys of a day live", old.seal_after, new.seal_after, _longer(old.seal_after, new.seal_after))
    again = {"open": "with every run until it is sealed", "sealed": "once"}
    yield from _changed(
        "a day is published", again[old.publish], again[new.publish], "less" if new.publish == "sealed" else "more"
    )


def _own(before: Policy, after: Policy) -> Iterator[Change]:
    for name in type(before.pages).model_fields:
        yield from _changed(f"pages, {name.replace('_', ' ')}", getattr(before.pages, name), getattr(after.pages, name))
    for name in dict.fromkeys([*before.dimensions, *after.dimensions]):
        old, new = (
            said and f"{said.field} by {', '.join(f'{value} = {pattern}' for value, pattern in said.values.items())}"
            for said in (before.dimensions.get(name), after.dimensions.get(name))
        )
        effect: Effect = "more" if not old else "less" if not new else "other"
        yield from _changed(f"column {name}", old, new, effect)


def _tables(before: Policy, after: Policy) -> Iterator[Change]:
    old, new = ({table.name: table for table in policy.tables} for policy in (before, after))
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield Change(f"table {name}", _described(old[name]), "not published", "less")
        elif name not in old:
            yield Change(f"table {name}", "not published", _described(new[name]), "more")
        else:
            yield from _table(old[name], new[name], before, after)


def _described(table: Table) -> str:
    return f"{MEANS[table.where]}, by {', '.join(table.by)}, from {table.min_clients} clients"


def _table(old: Table, new: Table, before: Policy, after: Policy) -> Iterator[Change]:
    subject = f"table {old.name}"
    yield from _changed(f"{subject} counts", MEANS[old.where], MEANS[new.where])
    for part, label in (("by", "by"), ("measures", "measures")):
        columns = set(getattr(old, part)), set(getattr(new, part))
        effect: Effect = "more" if columns[0] < columns[1] else "less" if columns[1] < columns[0] else "other"
        yield from _changed(f"{subject}, {label}", getattr(old, part), getattr(new, part), effect)
    fewer: Effect = "more" if new.min_clients < old.min_clients else "less"
    yield from _changed(f"{subject}, clients in a row, at least", old.min_clients, new.min_clients, fewer)
    larger: Effect = "more" if new.max_client_share > old.max_client_share else "less"
    yield from _changed(f"{subject}, share of one client", old.max_client_share, new.max_client_share, larger)
    if any((old.purpose, new.purpose)):
        yield from _changed(f"{subject}, purpose", old.purpose or before.purpose, new.purpose or after.purpose)
    if any((old.legal_basis, new.legal_basis)):
        basis = (old.legal_basis or before.legal_basis, new.legal_basis or after.legal_basis)
        yield from _changed(f"{subject}, legal basis", *basis)

"""What a policy may not say although it could be carried out: choices that cannot be defended."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final, get_args

from logblur.errors import PolicyError
from logblur.policy.model import Policy, Table
from logblur.policy.nearest import nearest
from logblur.policy.plan import CAMPAIGN, LARGEST_SHARE, Method, of_files
from logblur.policy.rules import AnyRule, Drop, Encrypted, Keep, Pseudonym, Template, Truncate
from logblur.schema import KEY_TYPES, MEASURES, PARSED, UNIVERSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from logblur.policy.meaning import Dimension

FINEST_IPV4: Final = 24
"""Bits of an IPv4 address that may stay without a reason; /24 is often one office or one home's provider pool."""

FINEST_IPV6: Final = 48
"""Bits of an IPv6 address that may stay without a reason; providers give a home a /56 or a /48 (RFC 6177)."""

_DROP: Final = Drop(method="drop")
_PEOPLE: Final = frozenset({"visitor", "client", "remote_addr", "remote_user"})
_TAKEN: Final = frozenset({*KEY_TYPES, *MEASURES, *PARSED.names, *_PEOPLE}) | {
    *("date", "universe", "people", "parts", "clients", "depth", "first", "own_domain", "file_kind", "searched"),
    *(f"{CAMPAIGN}_{source}" for source in ("search_engine", "social_network", "ai_service")),
}
"""Names of columns that mean something already, in a log, in a table, or on the way from one to the other."""


def lint(policy: Policy) -> None:
    """Refuse a policy that cannot be defended.

    Raises:
        PolicyError: The first choice at fault, by its path, with what to write instead.
    """
    for name, rule in policy.fields.named().items():
        _lint_rule(name, rule, f"fields.{name}")
    _lint_signals(policy)
    _lint_keys(policy)
    client = policy.input.client_address
    if client.field != "remote_addr" and not client.trusted_proxies:
        raise PolicyError(
            f'anybody can write {client.field}: say which proxies are believed, such as ["10.0.0.0/8"]',
            path="input.client_address.trusted_proxies",
        )
    for name in policy.dimensions:
        if name in _TAKEN:
            raise PolicyError("logblur itself uses this name for a column: choose another", path=f"dimensions.{name}")
    seen: set[str] = set()
    for number, table in enumerate(policy.tables):
        _lint_table(table, f"table[{number}]", policy.dimensions)
        if table.name in seen:
            raise PolicyError(f"another table is named {table.name!r} too", path=f"table[{number}].name")
        seen.add(table.name)


def _lint_rule(name: str, rule: AnyRule, path: str) -> None:
    match rule:
        case Keep(reason=None):
            raise PolicyError(
                f"keeps {name} as it is: say why in reason, or choose another method", path=f"{path}.reason"
            )
        case Truncate(reason=None, ipv4_prefix=bits) if bits > FINEST_IPV4:
            raise PolicyError(_finer("IPv4", bits, FINEST_IPV4), path=f"{path}.ipv4_prefix")
        case Truncate(reason=None, ipv6_prefix=bits) if bits > FINEST_IPV6:
            raise PolicyError(_finer("IPv6", bits, FINEST_IPV6), path=f"{path}.ipv6_prefix")


def _lint_signals(policy: Policy) -> None:
    """Refuse consent that no request can give, and rules for restricted requests that restrict nothing."""
    signals, always = policy.signals, policy.fields.named()
    if "consent" in policy.grounds() and not (signals and signals.consent):
        raise PolicyError(
            "consent is a ground only where requests can show it: name the fields and values that do, such as "
            '{ cookie_consent = ["yes"] }',
            path="signals.consent",
        )
    for number, table in enumerate(policy.tables):
        if table.legal_basis == "consent" != policy.legal_basis:
            raise PolicyError(
                "a table counts requests without consent too: rest its fields, or the whole policy, on consent instead",
                path=f"table[{number}].legal_basis",
            )
    if signals is None:
        return
    if not signals.consent and not signals.objection:
        raise PolicyError("names no field: say in consent or objection how a request is told", path="signals")
    if taken := sorted({*signals.consent, *signals.objection} & KEY_TYPES.keys()):
        raise PolicyError(f"{taken[0]!r} is a column of tables, not a field of a log", path="signals")
    for name, rule in signals.fields.named().items():
        path = f"signals.fields.{name}"
        _lint_rule(name, rule, path)
        if name == "time":
            raise PolicyError("the time of restricted requests cannot differ: tables are cut by it", path=path)
        usual = always.get(name, _DROP)
        if _finest(rule) < _finest(usual) or not _parameters(rule) <= _parameters(usual):
            raise PolicyError("keeps more than the rule that holds always: restricted requests keep less", path=path)
    if not signals.fields.named() and signals.visitors and "consent" not in policy.grounds():
        raise PolicyError(
            "changes nothing: say under signals.fields what becomes of such requests, or visitors = false",
            path="signals",
        )


def _lint_keys(policy: Policy) -> None:
    """Refuse a key that is not there, one that two methods share, and two that come from one place."""
    methods: dict[str, str] = {}
    always = {f"fields.{name}": rule for name, rule in policy.fields.named().items()}
    stricter = policy.signals.fields.named() if policy.signals else {}
    for path, rule in (always | {f"signals.fields.{name}": rule for name, rule in stricter.items()}).items():
        if not isinstance(rule, Pseudonym | Encrypted) or rule.key is None:
            continue
        if rule.key not in policy.keys:
            raise PolicyError(
                f"there is no {rule.key!r} under [keys]"
                + (f"; {nearest(rule.key, policy.keys)}" if policy.keys else ": say there where it comes from"),
                path=f"{path}.key",
            )
        if methods.setdefault(rule.key, rule.method) != rule.method:
            raise PolicyError(
                f"{rule.key!r} is the key of {methods[rule.key]} already: two methods that share a key can tell of one "
                "another, so give each its own",
                path=f"{path}.key",
            )
    places: dict[tuple[str, str], str] = {}
    for name, place in policy.keys.items():
        if (other := places.setdefault(place.said(), name)) != name:
            raise PolicyError(f"comes from where {other!r} does: give each key its own place", path=f"keys.{name}")


def _finest(rule: AnyRule) -> tuple[int, int, int]:
    """Return an order: of two rules for one field, the smaller keeps more."""
    finer = (-rule.ipv4_prefix, -rule.ipv6_prefix) if isinstance(rule, Truncate) else (0, 0)
    if isinstance(rule, Pseudonym) and rule.key:  # it links days
        finer = (-1, 0)
    return (get_args(Method).index(rule.method), *finer)


def _parameters(rule: AnyRule) -> frozenset[str]:
    return frozenset(rule.query.keep if isinstance(rule, Template) and rule.query else ())


def _finer(family: str, bits: int, finest: int) -> str:
    return f"keeps {bits} bits of an {family} address: more than {finest} point at one household, so say why in reason"


def _lint_table(table: Table, path: str, dimensions: Mapping[str, Dimension]) -> None:
    _known(table.where, UNIVERSES, f"{path}.where", table)
    for column in table.by:
        if column in _PEOPLE:
            raise PolicyError(
                f"{column!r} stands for one person: a table cannot be grouped by it (table {table.name!r})",
                path=f"{path}.by",
            )
        if column == "date":
            raise PolicyError(
                f"every table is cut by 'date' already: leave it out (table {table.name!r})", path=f"{path}.by"
            )
        _known(column, {**KEY_TYPES, **dimensions}, f"{path}.by", table)
    for measure in table.measures:
        _known(measure, MEASURES, f"{path}.measures", table)
    if "downloads" in table.measures and not of_files(table.where, table.by):
        raise PolicyError(
            "'downloads' counts files: it takes where = 'download', and 'path' and 'complete' among by "
            f"(table {table.name!r})",
            path=f"{path}.measures",
        )
    if table.max_client_share > LARGEST_SHARE and table.reason is None:
        raise PolicyError(
            f"lets one client make more than {LARGEST_SHARE:.0%} of a row, so that the row tells what it did: say why "
            f"in reason (table {table.name!r})",
            path=f"{path}.max_client_share",
        )


def lint_overlaps(
    tables: Sequence[Table], made_of: Mapping[str, Iterable[str]], told_by: Mapping[str, Iterable[str]]
) -> None:
    """Refuse two tables that count the same requests by keys that depend on one another.

    What one of them rolls up could be found by subtracting rows of the other. Keys depend on one another where they
    are made of one field, or where that field tells which lines of the larger table the smaller one counts. Not
    ``agent``: it tells two whole universes apart, and what is left beside those is checked when days are published.

    Args:
        tables: The policy's; what each of them names is known.
        made_of: By column, the fields that it is made of.
        told_by: By universe, the fields by which a line is told to be in it.
    """
    for (n, a), (m, b) in combinations(enumerate(tables), 2):
        if not UNIVERSES[a.where] & UNIVERSES[b.where]:
            continue
        large, small = (a, b) if UNIVERSES[b.where] <= UNIVERSES[a.where] else (b, a)
        apart = set(told_by[small.where]) - set(told_by[large.where])
        by_large = {
            field for column in large.by if column != "agent" or large.where == small.where for field in made_of[column]
        }
        if shared := sorted(by_large & (apart | {field for column in small.by for field in made_of[column]})):
            where = (
                f"the same {large.where!r}" if large.where == small.where else f"{small.where!r} within {large.where!r}"
            )
            raise PolicyError(
                f"tables {a.name!r} and {b.name!r} count requests of {where}, and both tell {shared[0]}: what one "
                "rolls up could be found by subtracting the other; drop one, or give them universes that are apart",
                path=f"table[{max(n, m)}]",
            )


def _known(name: str, known: Mapping[str, object], path: str, table: Table) -> None:
    if name not in known:
        raise PolicyError(f"there is no {name!r}; {nearest(name, known)} (table {table.name!r})", path=path)

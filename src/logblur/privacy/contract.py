"""Test 2, contract: an output holds nothing that its policy, and so its notice, does not name."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Final

from logblur.placeholders import NONE, OTHER
from logblur.policy import Policy
from logblur.policy.plan import Plan, TablePlan
from logblur.privacy.published import Published, TableDay
from logblur.privacy.report import Result, verdict_of
from logblur.schema import KEY_TYPES, MEASURES

_EMAIL: Final = re.compile(r"[^/@]@[^/@]+\.")


def contract(found: Sequence[Published], policy: Policy, plan: Plan, *, today: date | None = None) -> Result:
    """Fail where an output departs from its policy: columns, resolution, k, retention, digest, files.

    Args:
        found: The output, in its versions.
        policy: What was promised.
        plan: What it comes to.
        today: The present day where the policy counts its days.
    """
    today = today or datetime.now(plan.zone).date()
    tables = {table.name: table for table in plan.tables}
    bad = []
    for out in found:
        bad += [f"{file.relative_to(out.folder)}: no table of a day" for file in out.strays]
        for table in out.tables:
            bad += [f"{table.table}, {table.day}: {what}" for what in _departures(table, tables, policy, plan, today)]
    count = sum(len(out.tables) for out in found)
    words = f"{count:,} tables held against policy {plan.name}, digest {plan.digest[:12]}"
    return verdict_of("contract", bad, words, {"tables": count})


def _departures(
    table: TableDay, tables: dict[str, TablePlan], policy: Policy, plan: Plan, today: date
) -> Iterator[str]:
    promised = tables.get(table.table)
    if promised is None:
        yield "the policy has no such table"
        return
    if table.digest != plan.digest:
        yield f"published under another policy, digest {table.digest[:12]}"
    if tuple(table.rows.columns) != (*promised.by, *promised.measures):
        yield "its columns are not those of the policy"
    if table.k != promised.min_clients or table.where != promised.where:
        yield "its threshold or its universe is not the policy's"
    if policy.is_over(table.day, today):
        yield "kept longer than the policy says"
    if plan.publish == "sealed" and not table.sealed:
        yield "published before its day was sealed"
    own = {dimension.name for dimension in plan.dimensions}
    for name in table.rows.columns:
        if name not in KEY_TYPES and name not in MEASURES and name not in own:
            yield f"column {name} is none of logblur's"
        elif not all(_coarse(name, value, plan) for value in table.rows[name].unique().to_list()):
            yield f"column {name} holds values finer than the policy allows"


def _coarse(name: str, value: object, plan: Plan) -> bool:
    """Say whether a value is as coarse as the policy says."""
    if value in {None, NONE, OTHER}:
        return True
    for dimension in plan.dimensions:
        if dimension.name == name:
            return value in dict(dimension.values)
    match name:
        case "hour":
            return isinstance(value, int) and 0 <= value <= 23
        case "agent":
            return value in {"human", "bot"}
        case "country":
            return len(str(value)) == 2
        case "asn":
            return str(value).removeprefix("AS").isdigit()
        case "referrer_origin" | "referrer_domain" | "referrer":
            return "?" not in str(value) and not _EMAIL.search(str(value))
        case "network":
            try:
                network = ipaddress.ip_network(str(value))
            except ValueError:
                return False
            return network.prefixlen <= (plan.ipv4_prefix if network.version == 4 else plan.ipv6_prefix)
        case "path":
            path, _, query = str(value).partition("?")
            return not _EMAIL.search(path) and _names(query) <= set(plan.query)
        case "status_class":
            return str(value) in {f"{digit}xx" for digit in range(10)}
        case _:
            return True


def _names(query: str) -> set[str]:
    return {pair.partition("=")[0] for pair in query.split("&") if pair}

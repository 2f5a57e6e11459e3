"""Plans for tests to which nothing matters but the tables."""

from __future__ import annotations

from dataclasses import replace

from logblur.policy import load_policy
from logblur.policy.plan import Plan, TablePlan
from logblur.policy.resolve import resolve


def plan_of(*tables: TablePlan) -> Plan:
    """The default policy's plan, with other tables."""
    return replace(resolve(load_policy("audience")), digest="0" * 64, tables=tables)

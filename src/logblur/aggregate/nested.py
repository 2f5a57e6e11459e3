"""Nested universes: totals add up, so those of a part can be subtracted from those of the whole.

all = human + bot; human = page + download + error + a rest that no table shows; page = search + referral + a rest.
Whatever tables a policy has, what can be found by subtracting is a universe less the largest published ones in it. A
table of all lines by ``agent`` publishes ``human`` and ``bot`` too where its rows add up to them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from logblur.aggregate.kernels import Parts
from logblur.jit import Codes, Ints
from logblur.policy.plan import TablePlan
from logblur.schema import UNIVERSES


def by_agent(table: TablePlan) -> bool:
    """Say whether rows of a table tell people and bots apart."""
    return table.where == "all" and "agent" in table.by


def seen_in(client: Codes, parts: Parts) -> Ints:
    """Return how many clients were seen in which parts of the whole, by the parts' bits.

    Args:
        client: By person, its client: numbers from 0 that ascend without a gap.
        parts: By person, the parts it was seen in, as bits.
    """
    seen = np.zeros(int(client.max(initial=-1)) + 1, np.uint16)
    np.bitwise_or.at(seen, client, parts)
    return np.bincount(seen, minlength=1 << 16)


def withheld(tables: Sequence[TablePlan], shown: Collection[str], told: Collection[str], seen: Ints) -> list[str]:
    """Return the tables that may not be published, so that no difference of totals describes too few clients.

    Outermost universe first: where what is left of it beside its largest published parts has clients, but fewer than
    k, its smallest part (by clients, then in the order of `schema.UNIVERSES`) is withheld with all that lies within.

    Args:
        tables: All tables of the day's snapshot.
        shown: The names of those that would publish rows.
        told: Universes whose totals rows of a table of a larger one add up to.
        seen: How many clients were seen in which parts of the whole, by the parts' bits (`seen_in`).

    Privacy:
        k is the largest threshold among the tables that count lines of that universe.
    """
    combinations = np.arange(len(seen))

    def clients(of: Collection[int]) -> int:
        return int(seen[combinations & sum(1 << part for part in of) > 0].sum())

    published = {table.where for table in tables if table.name in shown} | set(told)
    for parent, lines in sorted(UNIVERSES.items(), key=lambda universe: -len(universe[1])):
        k = max((table.min_clients for table in tables if UNIVERSES[table.where] & lines), default=0)
        while parent in published:
            inside = [where for where in UNIVERSES if where in published and UNIVERSES[where] < lines]
            largest = [where for where in inside if not any(UNIVERSES[where] < UNIVERSES[other] for other in inside)]
            left = clients(lines.difference(*(UNIVERSES[where] for where in largest)))
            if not largest or left == 0 or left >= k:
                break
            smallest = min(largest, key=lambda where: clients(UNIVERSES[where]))
            published = {where for where in published if not UNIVERSES[where] <= UNIVERSES[smallest]}
    return [table.name for table in tables if table.name in shown and table.where not in published]

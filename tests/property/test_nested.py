"""Tables of nested universes together: what an attacker who has all of a snapshot can subtract describes k clients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logblur.aggregate import aggregate, merge, release
from logblur.placeholders import NONE, OTHER
from logblur.policy.plan import TablePlan
from logblur.schema import UNIVERSES, Universe
from tests.plans import plan_of
from tests.property.test_thresholds import Row, protected

K = 3
MEASURES = ("requests", "visitors", "bytes")
WHERE = {
    "traffic": ("all", ("agent", "path")),
    "people": ("human", ("site",)),
    "pages": ("page", ("path",)),
    "downloads": ("download", ("path",)),
    "errors": ("error", ("path",)),
    "search_engines": ("search", ("site",)),
    "referrers": ("referral", ("site",)),
    "social": ("social", ("site",)),
    "bots": ("bot", ("site",)),
}
TABLES = {name: TablePlan(name, where, by, MEASURES, K, 1.0) for name, (where, by) in WHERE.items()}

ROWS = st.lists(
    st.builds(
        Row,
        client=st.integers(0, 9),
        visitor=st.just(0),
        size=st.just(1),
        key=st.tuples(st.just(0), st.sampled_from(["a", "b"]), st.sampled_from([NONE, "/"])),
        universe=st.sampled_from([0, 0, 1, 2, 3, 4, 4, *range(5, len(Universe))]),
    ),
    min_size=1,
    max_size=50,
)
POLICIES = st.sets(st.sampled_from(sorted(TABLES)), min_size=2)

Cell = frozenset[tuple[str, int]]
"""Of which rows of traffic, and of which parts: what an attacker can tell apart, by how the tables are made."""


def snapshot(rows: Sequence[Row], names: Sequence[str]) -> dict[str, pa.Table]:
    """What is published of the rows, by table."""
    tables = [TABLES[name] for name in names]
    found = release(merge(aggregate(protected(rows), plan_of(*tables))), tables)
    return {name: table.rows for name, table in found.items() if table.rows.num_rows}


def attack(rows: Sequence[Row], shown: Mapping[str, pa.Table]) -> int:
    """The fewest clients, but none, of any set of lines that sums of published numbers, added and subtracted, give.

    A line is, for the attacker, in one row of traffic (where there is one) and in one part of the universe. Rows of
    traffic with an agent hold only parts of that agent. Each row of traffic and the total of each table is an equation.
    """
    cells: list[tuple[str, str, int]] = []
    traffic = shown["traffic"].to_pylist() if "traffic" in shown else [{"agent": OTHER, "path": ""}]
    for row, part in product(traffic, Universe):
        if row["agent"] in (OTHER, "bot" if part == Universe.BOT else "human"):
            cells.append((row["agent"], row["path"], part))
    equations = [
        [(agent, path) == (row["agent"], row["path"]) for agent, path, _ in cells]
        for row in traffic
        if "traffic" in shown
    ] + [[part in UNIVERSES[where] for *_, part in cells] for where in {WHERE[name][0] for name in shown}]
    who: dict[tuple[str, str, int], set[int]] = {cell: set() for cell in cells}
    names = {(row["agent"], row["path"]) for row in traffic}
    for line in rows:
        agent, path = line.value("agent"), line.value("path")
        place = next(n for n in ((agent, path), (agent, OTHER), (OTHER, OTHER), (OTHER, "")) if n in names)
        who[*place, line.universe].add(line.client)
    fewest = 1 << 30
    factors = np.array(list(product((-1, 0, 1), repeat=len(equations))), np.int8)
    sums = factors @ np.array(equations, np.int8).reshape(len(equations), len(cells))
    for chosen in np.unique(sums[((sums == 0) | (sums == 1)).all(axis=1)], axis=0):
        clients = set().union(*(who[cell] for cell, taken in zip(cells, chosen, strict=True) if taken))
        fewest = min(fewest, len(clients) or fewest)
    return fewest


@settings(deadline=None)  # kernels compile on their first call
@given(ROWS, POLICIES)
def test_nothing_small_can_be_found_by_subtracting(rows: list[Row], names: set[str]) -> None:
    """Whatever tables a policy has: no set of lines that the whole snapshot gives away has fewer than k clients."""
    assert attack(rows, snapshot(rows, sorted(names))) >= K


@settings(deadline=None)  # kernels compile on their first call
@given(ROWS, POLICIES)
def test_tables_of_one_parent_fall_alone(rows: list[Row], names: set[str]) -> None:
    """A table is whole, as it would be by itself, or without rows; never with fewer rows."""
    together = snapshot(rows, sorted(names))
    for name in names:
        alone = snapshot(rows, [name])
        assert name not in together or together[name].equals(alone[name])


def rows_of(part: Universe, clients: range) -> list[Row]:
    """One line of each client, in one part."""
    return [Row(client, client, 1, (0, "a", "/"), int(part)) for client in clients]


def test_the_attack_finds_what_is_there() -> None:
    """The control: each table by itself is right, and together they give two people away."""
    rows = [*rows_of(Universe.BOT, range(5)), *rows_of(Universe.PAGE, range(5, 10)), *rows_of(Universe.REST, range(2))]
    names = ["traffic", "bots", "pages"]
    alone = {name: found for one in names for name, found in snapshot(rows, [one]).items()}
    assert len(alone) == 3
    assert attack(rows, alone) == 2
    assert attack(rows, snapshot(rows, names)) >= K


def test_the_smallest_part_is_withheld_with_all_within() -> None:
    """People's errors alone are two: of the parts beside them the smallest falls, and what lies within falls too."""
    rows = [
        *rows_of(Universe.BOT, range(9)),
        *rows_of(Universe.PAGE_SEARCH, range(4)),
        *rows_of(Universe.PAGE, range(4, 7)),
        *rows_of(Universe.ERROR, range(2)),
    ]
    assert snapshot(rows, ["people", "pages", "errors", "search_engines"]).keys() == {"people"}
    assert snapshot(rows, ["pages", "errors", "search_engines", "bots"]).keys() == {"pages", "search_engines", "bots"}
    assert snapshot(rows, ["traffic", "pages", "bots", "search_engines"]).keys() == {"traffic", "bots"}
    assert snapshot(rows[:-2], ["pages", "bots"]).keys() == {"pages", "bots"}


def test_nothing_left_over_withholds_nothing() -> None:
    """A remainder without any client tells of nobody."""
    rows = [*rows_of(Universe.BOT, range(9)), *rows_of(Universe.PAGE, range(4))]
    assert snapshot(rows, ["traffic", "pages", "bots"]).keys() == {"traffic", "pages", "bots"}


@pytest.mark.parametrize("few", ["human", "bot"])
def test_the_few_of_an_agent_take_a_row_along(few: str) -> None:
    """Where people or bots that are rolled up are too few, a row joins them: no total of all bots tells them."""
    parts = {"human": Universe.PAGE, "bot": Universe.BOT}
    rows = [Row(n, n, 1, (0, "a", "/"), int(parts[few])) for n in range(5)]
    rows += [Row(n, n, 1, (0, "a", "~"), int(parts[few])) for n in range(6, 7)]
    other = parts["bot" if few == "human" else "human"]
    rows += [Row(n, n, 1, (0, "a", f"/{n}"), int(other)) for n in range(20, 22)]
    by = ("site", "agent", "path")
    table = TablePlan("traffic", "all", by, MEASURES, K, 1.0)
    (row,) = release(merge(aggregate(protected(rows), plan_of(table))), [table])["traffic"].rows.to_pylist()
    assert (row["agent"], row["requests"]) == (OTHER, 8)


def test_universes_are_nested() -> None:
    """Two universes are apart, or one holds the other: differences of totals are all that there is to subtract."""
    for a, b in combinations(UNIVERSES.values(), 2):
        assert a <= b or b <= a or not a & b

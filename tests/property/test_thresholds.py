"""Thresholds against a slow, obvious reference: dicts of sets, one group after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logblur.aggregate import Released, aggregate, merge, release
from logblur.placeholders import NONE, OTHER
from logblur.policy.plan import TablePlan
from logblur.schema import UNIVERSES, Partial, Protected
from tests.plans import plan_of, protected_of

Key = tuple[Any, ...]
BY = ("hour", "site", "path")
SHARE = 0.8


@dataclass(frozen=True)
class Row:
    """One protected row; the keys in the order of `BY`."""

    client: int
    visitor: int
    size: int
    key: Key
    universe: int = 4

    def value(self, name: str) -> Any:
        """The key of this name; the agent is told by the universe."""
        return ("human" if self.universe else "bot") if name == "agent" else self.key[BY.index(name)]


@dataclass
class Cell:
    """What the reference knows of a group: requests and bytes of each client, its visitors."""

    requests: Counter[int] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)
    visitors: set[int] = field(default_factory=set)
    agents: dict[str, set[int]] = field(default_factory=lambda: {"human": set(), "bot": set()})

    def add(self, other: Cell) -> None:
        """Unite with another cell."""
        self.requests.update(other.requests)
        self.sizes.update(other.sizes)
        self.visitors |= other.visitors
        for agent, clients in other.agents.items():
            self.agents[agent] |= clients

    def fit(self, k: int, share: float) -> bool:
        """Whether it has k clients, and none who makes too much of it."""
        sums = (self.requests, self.sizes)
        return len(self.requests) >= k and all(max(of.values()) <= share * of.total() for of in sums)


def in_key_order(key: Key) -> tuple[tuple[bool, Any], ...]:
    """Ascending, nulls last."""
    return tuple((value is None, value) for value in key)


def others(names: Sequence[str]) -> Key:
    """What rolled-up keys read."""
    return tuple(None if name == "hour" else OTHER for name in names)


def reference(rows: Sequence[Row], table: TablePlan) -> dict[Key, Cell]:
    """docs/design.md, section 6, word for word, but for what other tables make of it."""
    by, k, share = table.by, table.min_clients, table.max_client_share
    level: dict[Key, Cell] = {}
    for row in rows:
        agents: dict[str, set[int]] = {"human": set(), "bot": set()}
        agents[row.value("agent")].add(row.client)
        cell = Cell(Counter({row.client: 1}), Counter({row.client: row.size}), {row.visitor}, agents)
        level.setdefault(tuple(map(row.value, by)), Cell()).add(cell)
    published: dict[Key, Cell] = {}
    for depth in reversed(range(len(by))):
        above: dict[Key, Cell] = {}
        for key, cell in level.items():
            if cell.fit(k, share):
                published[key] = cell
            else:
                above.setdefault(key[:depth] + others(by[depth:]), Cell()).add(cell)
        level = above

    def smallest(cells: dict[Key, Cell]) -> Key:
        return min(cells, key=lambda key: (len(cells[key].requests), in_key_order(key)))

    for key, leftover in level.items():
        while not leftover.fit(k, share) and published:
            leftover.add(published.pop(smallest(published)))
        if leftover.fit(k, share):
            published[key] = leftover
    if table.where == "all" and "agent" in by:
        place = by.index("agent")
        for agent in ("human", "bot"):
            own = {key: cell for key, cell in published.items() if key[place] == agent}
            hidden = {c for key, cell in published.items() if key[place] == OTHER for c in cell.agents[agent]}
            if own and 0 < len(hidden) < k:
                key = smallest(own)
                published.setdefault(key[:place] + others(by[place:]), Cell()).add(published.pop(key))
    return published


def protected(rows: Sequence[Row], tokens: Sequence[int] = ()) -> Protected:
    """Rows as the batch that `protect` makes of them; ``tokens`` stand for the first clients and visitors."""

    def token(number: int) -> int:
        return tokens[number] if number < len(tokens) else (number * 0x9E3779B97F4A7C15 + 1) % (1 << 64)

    columns = {
        "date": pa.array([20000] * len(rows), pa.int32()),
        "universe": pa.array([row.universe for row in rows], pa.int8()),
        "bytes": pa.array([row.size for row in rows], pa.int64()),
        "visitor": pa.array([token(row.visitor) for row in rows], pa.uint64()),
        "client": pa.array([token(row.client) for row in rows], pa.uint64()),
        "agent": pa.array([row.value("agent") for row in rows], pa.string()).dictionary_encode(),
        "hour": pa.array([row.key[0] for row in rows], pa.int8()),
        "site": pa.array([row.key[1] for row in rows], pa.string()).dictionary_encode(),
        "path": pa.array([row.key[2] for row in rows], pa.string()).dictionary_encode(),
    }
    return protected_of(pa.RecordBatch.from_pydict(columns))


def table_of(by: Sequence[str] = BY, k: int = 2, where: str = "all", share: float = 1.0) -> TablePlan:
    """A table named t; one client may make all of it, where nothing else is said."""
    return TablePlan("t", where, tuple(by), ("requests", "visitors", "bytes"), k, share)


def released(rows: Sequence[Row], table: TablePlan, tokens: Sequence[int] = ()) -> Released:
    """What is published of the rows."""
    partials = aggregate(protected(rows, tokens), plan_of(table))
    return release(merge(partials), [table])["t"]


def as_rows(cells: dict[Key, Cell]) -> list[tuple[Any, ...]]:
    """The cells as the published rows that they should be."""
    return [
        (*key, cells[key].requests.total(), len(cells[key].visitors), cells[key].sizes.total())
        for key in sorted(cells, key=in_key_order)
    ]


def check_clients(found: Released, k: int) -> None:
    """Refuse a row of fewer than k clients, where each client was made its own visitor."""
    if any(clients < k for clients in found.rows.column("visitors").to_pylist()):
        raise AssertionError("a row describes fewer than k clients")


KEYS = st.tuples(st.integers(0, 2), st.sampled_from(["!", "a.example", "é"]), st.sampled_from([NONE, "/", "/x", "~"]))
ROWS = st.lists(
    st.builds(
        Row,
        client=st.integers(0, 9),
        visitor=st.integers(0, 12),
        size=st.integers(0, 10**13),
        key=KEYS,
        universe=st.sampled_from([0, 2, 4]),
    ),
    max_size=60,
)
TABLES = st.builds(
    table_of,
    by=st.sampled_from(
        [BY, ("site", "path"), ("path",), ("hour", "agent", "site"), ("site", "hour"), ("agent", "path", "site")]
    ),
    k=st.integers(2, 6),
    where=st.sampled_from(["all", "all", "human", "page"]),
    share=st.sampled_from([0.3, 0.5, SHARE, 1.0]),
)
# 0 stands for nobody: requests that are to be no visitors have it
TOKENS = st.lists(st.integers(1, 2**64 - 1) | st.sampled_from([1, 2**64 - 1]), min_size=13, max_size=13, unique=True)


@settings(deadline=None)  # kernels compile on their first call
@given(ROWS, TABLES, TOKENS)
def test_release_equals_reference(rows: list[Row], table: TablePlan, tokens: list[int]) -> None:
    """The published rows are those of the reference, in key order, whatever the tokens are."""
    if not rows:
        assert aggregate(protected(rows), plan_of(table)) == []
        return
    inside = [row for row in rows if row.universe in UNIVERSES[table.where]]
    expected = reference(inside, table)
    found = released(rows, table, tokens)

    assert as_rows(expected) == [tuple(row.values()) for row in found.rows.to_pylist()]
    assert [*table.by, *table.measures] == found.rows.column_names
    assert len(inside) == found.requests
    assert len({row.client for row in inside}) == found.clients
    carrying = [cell for key, cell in expected.items() if OTHER in key or None in key]
    assert sum(cell.requests.total() for cell in carrying) == found.rolled_up


@settings(deadline=None)  # kernels compile on their first call
@given(ROWS, TABLES)
def test_conserved(rows: list[Row], table: TablePlan) -> None:
    """Requests and bytes of a table that publishes rows add up to its universe's. It does where all may be one row."""
    if not rows:
        return
    inside = [row for row in rows if row.universe in UNIVERSES[table.where]]
    found = released(rows, table)
    whole = Cell()
    for row in inside:
        whole.add(Cell(Counter({row.client: 1}), Counter({row.client: row.size})))
    enough = bool(inside) and whole.fit(table.min_clients, table.max_client_share)

    assert enough == (found.rows.num_rows > 0)
    if enough:
        assert len(inside) == sum(found.rows.column("requests").to_pylist())
        assert sum(row.size for row in inside) == sum(found.rows.column("bytes").to_pylist())


@settings(deadline=None)  # kernels compile on their first call
@given(ROWS, TABLES)
def test_no_row_below_k(rows: list[Row], table: TablePlan) -> None:
    """No published row describes fewer than k clients, by its own count."""
    if rows:
        check_clients(released([replace(row, visitor=row.client) for row in rows], table), table.min_clients)


def test_check_of_clients_can_fail() -> None:
    """The check above is real: rows released for k = 2 do not pass it for k = 3."""
    found = released([*rows_of(range(2), (0, "a", "/")), *rows_of(range(9), (0, "a", "/x"))], table_of(k=2))
    check_clients(found, 2)
    with pytest.raises(AssertionError, match="fewer than k"):
        check_clients(found, 3)


def rows_of(clients: range, key: Key, size: int = 1) -> list[Row]:
    """One row of each client."""
    return [Row(client, client, size, key) for client in clients]


def test_single_column() -> None:
    """With one key column the first level up is the top: what is small there is one row together."""
    rows = [
        *rows_of(range(3), (0, "a", "/")),
        *rows_of(range(3, 5), (0, "a", "/x")),
        *rows_of(range(5, 6), (0, "a", "~")),
    ]
    found = released(rows, table_of(("path",), 3))
    assert [tuple(row.values()) for row in found.rows.to_pylist()] == [(OTHER, 3, 3, 3), ("/", 3, 3, 3)]
    assert found.rolled_up == 3


def test_nothing_left_at_the_top() -> None:
    """Where every group reaches k, or rolls up into one that does, nothing is absorbed."""
    rows = [*rows_of(range(3), (0, "a", "/")), *rows_of(range(2), (1, "b", "/")), *rows_of(range(1, 3), (1, "b", "/x"))]
    found = released(rows, table_of(k=3))
    assert [tuple(row.values()) for row in found.rows.to_pylist()] == [(0, "a", "/", 3, 3, 3), (1, "b", OTHER, 4, 3, 4)]


def test_leftover_absorbs_the_smallest_row() -> None:
    """A leftover below k takes in the row of fewest clients, the first in key order among equals, and only that."""
    rows = [
        *rows_of(range(5), (0, "a", "/")),
        *rows_of(range(4), (1, "b", "/")),
        *rows_of(range(4), (1, "b", "/x")),
        *rows_of(range(1), (2, "é", "~")),
    ]
    found = released(rows, table_of(k=3))
    expected = [(0, "a", "/", 5, 5, 5), (1, "b", "/x", 4, 4, 4), (None, OTHER, OTHER, 5, 4, 5)]
    assert expected == [tuple(row.values()) for row in found.rows.to_pylist()]
    assert found.rolled_up == 5


def test_rolled_up_row_that_reaches_k_stays() -> None:
    """What reaches k at a level stays there, and can itself be the smallest row that a leftover absorbs."""
    rows = [
        *rows_of(range(9), (0, "a", "/")),
        *rows_of(range(2), (1, "a", "/")),
        *rows_of(range(2, 4), (1, "a", "/x")),
        *rows_of(range(8, 9), (2, "a", "/")),
    ]
    kept = released(rows[:-1], table_of(k=3))
    assert [tuple(row.values())[:3] for row in kept.rows.to_pylist()] == [(0, "a", "/"), (1, "a", OTHER)]
    absorbed = released(rows, table_of(k=3))
    assert [tuple(row.values())[:3] for row in absorbed.rows.to_pylist()] == [(0, "a", "/"), (None, OTHER, OTHER)]


def test_distinct_counts_are_of_the_union() -> None:
    """A client behind several small groups counts once when they roll up: k sightings of one client unlock nothing."""
    rows = [Row(0, 0, 1, (hour, "a", f"/{n}")) for hour in range(3) for n in range(20)]
    assert released(rows, table_of(k=2)).rows.num_rows == 0
    found = released(rows + rows_of(range(1, 2), (0, "a", "/")), table_of(k=2))
    assert [tuple(row.values()) for row in found.rows.to_pylist()] == [(None, OTHER, OTHER, 61, 2, 61)]


def test_one_host_with_a_thousand_agents() -> None:
    """Thresholds count clients: a thousand visitors of one client are published nowhere by themselves."""
    crowd = [Row(0, 100 + n, 1, (0, "a", "/secret")) for n in range(1000)]
    assert released(crowd, table_of(k=2)).rows.num_rows == 0
    found = released(crowd + rows_of(range(10), (0, "a", "/")), table_of(k=10))
    assert found.rows.column("path").to_pylist() == ["(other)"]
    assert found.rows.column("visitors").to_pylist() == [1010]


def test_one_visitor_of_many_clients() -> None:
    """Where a visitor is made of the agent alone, k clients are enough and the visitor counts once."""
    rows = [Row(client, 7, 1, (0, "a", "/")) for client in range(5)]
    found = released(rows, table_of(k=5))
    assert [tuple(row.values()) for row in found.rows.to_pylist()] == [(0, "a", "/", 5, 1, 5)]


def test_rolled_up_hour_is_null_and_last() -> None:
    """A rolled-up hour is null and sorts after every hour, also where it is not the last key."""
    rows: list[Row] = []
    for hour in (0, 23):
        rows += rows_of(range(3), (hour, "a", "/"))
    for hour in range(1, 23):
        rows += rows_of(range(hour % 3, hour % 3 + 1), (hour, "a", "/"))
    found = released(rows, table_of(("site", "hour"), 3)).rows
    assert found.column("hour").to_pylist() == [0, 23, None]
    assert pa.int8() == found.column("hour").type


def test_one_client_that_makes_too_much_of_a_row() -> None:
    """A row of many clients, one of whom makes more than the share of requests or bytes, rolls up as a small one."""
    crowd = [*rows_of(range(1, 9), (0, "a", "/")), *rows_of(range(9), (0, "a", "/x"))]
    heavy = [Row(0, 0, 1, (0, "a", "/"))] * 33
    large = [Row(0, 0, 33, (0, "a", "/"))]
    table = table_of(k=3, share=0.8)
    for odd, requests, size in ((heavy, 50, 50), (large, 18, 50)):
        found = released([*crowd, *odd], table)
        assert [tuple(row.values()) for row in found.rows.to_pylist()] == [(None, OTHER, OTHER, requests, 9, size)]
        assert released([*crowd, *odd[:-1]], table).rows.num_rows == 2
        shown = replace(table, measures=("visitors",))
        assert released([*crowd, *odd], shown).rows.num_rows == 2


def test_a_client_of_many_visitors_makes_too_much() -> None:
    """It is the client that counts: its requests add up over its agents, and over the rows that roll up."""
    rows = [Row(0, 100 + n, 1, (0, "a", f"/{n}")) for n in range(90)] + rows_of(range(1, 10), (0, "a", "/"))
    (row,) = released(rows + rows_of(range(1, 20), (0, "a", "/x")), table_of(("path",), 5, share=0.8)).rows.to_pylist()
    assert (row["path"], row["visitors"]) == (OTHER, 109)
    assert released(rows, table_of(("path",), 5, share=0.8)).rows.num_rows == 0


def test_a_leftover_absorbs_until_nobody_makes_too_much_of_it() -> None:
    """At the top a leftover absorbs what it takes, the smallest first; a day that one client makes is empty."""
    rows = [row for n in range(9) for row in rows_of(range(1, 4 + n), (0, "a", f"/{n}"))]
    heavy = [Row(0, 0, 1, (0, "a", "~"))] * 50
    found = released([*rows, *heavy], table_of(("path",), 2, share=0.8))
    assert found.rows.column("path").to_pylist() == [OTHER, "/4", "/5", "/6", "/7", "/8"]
    assert found.rows.column("requests").to_pylist()[0] == 50 + 3 + 4 + 5 + 6
    assert released([*rows, *heavy * 6], table_of(("path",), 2, share=0.8)).rows.num_rows == 0


def test_measures_come_in_the_order_asked_for() -> None:
    """A table has the measures of its plan and no others, int64 all."""
    table = TablePlan("t", "all", ("path",), ("bytes", "requests"), 2)
    found = released(rows_of(range(3), (0, "a", "/"), 10**13), table).rows
    assert found.column_names == ["path", "bytes", "requests"]
    assert [pa.string(), pa.int64(), pa.int64()] == found.schema.types
    assert found.column("bytes").to_pylist() == [(3 * 10**13)]


def test_many_groups_just_below_k() -> None:
    """An attacker's fifty thousand groups of k - 1 clients become one row, in time linear in their number."""
    n = 50_000
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, 2**64 - 1, 2 * n, dtype=np.uint64)
    columns = {
        "date": np.full(2 * n, 20000, np.int32),
        "universe": np.full(2 * n, 4, np.int8),
        "bytes": np.ones(2 * n, np.int64),
        "visitor": tokens,
        "client": tokens,
        "path": pa.DictionaryArray.from_arrays(
            pa.array(np.repeat(np.arange(n, dtype=np.int32), 2)), pa.array([f"/{i}" for i in range(n)])
        ),
    }
    batch = pa.RecordBatch.from_pydict({k: v if isinstance(v, pa.Array) else pa.array(v) for k, v in columns.items()})
    table = table_of(("path",), 3)
    found = release(merge(aggregate(protected_of(batch), plan_of(table))), [table])["t"]
    assert [(OTHER, 2 * n, 2 * n, 2 * n)] == [tuple(row.values()) for row in found.rows.to_pylist()]


def in_memory(table: pa.Table) -> bytes:
    """Every byte that a reader of the table could reach, unused dictionary entries and parent buffers too."""
    return b"".join(
        buffer.to_pybytes()
        for column in table.columns
        for chunk in column.chunks
        for buffer in chunk.buffers()
        if buffer is not None
    )


def test_suppressed_keys_are_in_no_buffer() -> None:
    """The buffers of published rows hold no key that was rolled up; the partial, which does, is the control."""
    rows = [
        *rows_of(range(9), (0, "a", "/open")),
        *rows_of(range(2), (0, "a", "/hidden")),
        *rows_of(range(4), (1, "b", "/c")),
    ]
    table = table_of(k=3)
    partial: Partial = merge(aggregate(protected(rows), plan_of(table)))
    found = release(partial, [table])["t"].rows
    assert b"/hidden" in in_memory(partial.tables["t"].select(BY))
    assert b"/open" in in_memory(found)
    assert b"/hidden" not in in_memory(found)
    assert b"/c" not in in_memory(found)  # it reached k alone, and was absorbed

"""Partials form a commutative monoid: however rows are cut and united, the same comes out."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logblur.aggregate import aggregate, merge, release, release_in_shares
from logblur.policy.plan import Plan, TablePlan
from logblur.schema import NOBODY, Partial, Protected
from tests.plans import plan_of, protected_of

MEASURES = ("requests", "visitors", "bytes")
TABLES = (
    TablePlan("traffic", "all", ("hour", "method"), MEASURES, 2),
    TablePlan("pages", "page", ("site", "path"), MEASURES, 3),
    TablePlan("errors", "error", ("path",), MEASURES, 2),
)
PLAN = plan_of(*TABLES)

Row = tuple[Any, ...]
"""date, universe, bytes, visitor, client, hour, method, site, path."""

ONE_DAY = st.tuples(
    st.just(19000),
    st.sampled_from([0, 2, 4, 5, 6]),
    st.integers(0, 10**13),
    st.integers(0, 9) | st.integers(2**64 - 3, 2**64 - 1),
    st.integers(0, 6),
    st.integers(0, 3),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["/", "/x", "/y", "é"]),
)


def protected(rows: Sequence[Row], shuffled: Sequence[str] = ()) -> Protected:
    """The rows as a batch; ``shuffled`` are the first dictionary values of paths, used or not."""
    names = ("date", "universe", "bytes", "visitor", "client", "hour", "method", "site", "path")
    kinds = (pa.int32(), pa.int8(), pa.int64(), pa.uint64(), pa.uint64(), pa.int8(), *[pa.string()] * 3)
    columns = {
        name: pa.array([row[place] for row in rows], kind)
        for place, (name, kind) in enumerate(zip(names, kinds, strict=True))
    }
    for name in ("method", "site", "path"):
        values = list(dict.fromkeys([*(shuffled if name == "path" else ()), *columns[name].to_pylist()]))
        codes = pa.array([values.index(value) for value in columns[name].to_pylist()], pa.int32())
        columns[name] = pa.DictionaryArray.from_arrays(codes, pa.array(values, pa.string()))
    columns["agent"] = pa.array(["human" if row[1] else "bot" for row in rows], pa.string()).dictionary_encode()
    return protected_of(pa.RecordBatch.from_pydict(columns))


def one(rows: Sequence[Row], shuffled: Sequence[str] = (), plan: Plan = PLAN) -> Partial:
    """The partial of rows of one day."""
    (partial,) = aggregate(protected(rows, shuffled), plan)
    return partial


def same(a: Partial, b: Partial) -> bool:
    """Whether two partials are equal, types and order of rows included."""
    return a.day == b.day and a.people.equals(b.people) and list(a.tables) == list(b.tables) and all(
        a.tables[name].equals(b.tables[name]) for name in a.tables
    )  # fmt: skip


@settings(deadline=None)  # kernels compile on their first call
@given(st.data(), st.lists(ONE_DAY, min_size=1, max_size=40))
def test_order_of_rows(data: st.DataObject, rows: list[Row]) -> None:
    """Equal sets of rows give equal partials, whatever their order and that of the dictionaries."""
    shuffled = data.draw(st.permutations(rows))
    values = data.draw(st.permutations(["unused", "é", "/y", "/x", "/", "~"]))
    assert same(one(rows), one(shuffled, values))


@settings(deadline=None)  # kernels compile on their first call
@given(st.data(), st.lists(ONE_DAY, min_size=1, max_size=40))
def test_any_split(data: st.DataObject, rows: list[Row]) -> None:
    """Any split of rows into partials, merged in any order and grouping, gives the partial of all rows at once."""
    owners = data.draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    parts = [[row for row, own in zip(rows, owners, strict=True) if own == owner] for owner in sorted(set(owners))]
    partials = data.draw(st.permutations([one(part) for part in parts]))
    whole = one(rows)
    assert same(whole, merge(partials))
    cut = data.draw(st.integers(0, len(partials)))
    left, right = partials[:cut], partials[cut:]
    grouped = [merge(side) for side in (left, right) if side]
    assert same(whole, merge(grouped))
    released = release(merge(grouped), TABLES)
    expected = release(whole, TABLES)
    assert all(expected[name].rows.equals(released[name].rows) for name in expected)


KEYS = [
    ("path",),
    ("site", "path"),
    ("hour", "agent", "method"),
    ("hour", "agent"),
    ("path", "hour"),
    ("agent", "path"),
    ("hour", "path", "site", "method"),
]


class Waiting:
    """Pieces in memory."""

    def __init__(self) -> None:
        self.parts: dict[Hashable, list[Partial]] = {}

    def put(self, name: Hashable, partial: Partial) -> None:
        """Keep one."""
        self.parts.setdefault(name, []).append(partial)

    def read(self, name: Hashable) -> list[Partial]:
        """Give them."""
        return self.parts.get(name, [])

    def take(self, name: Hashable) -> list[Partial]:
        """Give them, and forget them."""
        return self.parts.pop(name, [])


def one_clients(visitor: int, client: int) -> int:
    """A visitor of this client alone, or nobody."""
    return visitor if visitor == NOBODY else visitor % 16 * 7 + client


CUTS = st.tuples(
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True), st.integers(2, 4), st.sampled_from([0.6, 1.0])
)


@settings(deadline=None)  # kernels compile on their first call
@given(st.data(), st.lists(ONE_DAY, min_size=1, max_size=60), CUTS, st.integers(1, 5))
def test_in_shares(
    data: st.DataObject, rows: list[Row], made: tuple[list[tuple[str, ...]], int, float], shares: int
) -> None:
    """Share by share, what is too small rolled up at once, the same is released, whatever is cut where."""
    rows = [
        (*row[:3], row[3] if row[3] == NOBODY else row[3] % 16 * 7 + row[4], *row[4:]) for row in rows
    ]  # no visitor is of two clients
    keys, k, share = made
    tables = tuple(TablePlan("_".join(by), "all", by, MEASURES, k, share) for by in keys)
    plan = plan_of(*tables)
    owners = data.draw(st.lists(st.integers(0, 4), min_size=len(rows), max_size=len(rows)))
    parts = [[row for row, own in zip(rows, owners, strict=True) if own == owner] for owner in sorted(set(owners))]
    partials = [one(part, plan=plan) for part in parts]
    expected = release(merge(partials), tables)
    released = release_in_shares(lambda: iter(partials), tables, shares, Waiting(), groups_at_once=3)
    for name, whole in expected.items():
        found = released[name]
        assert whole.rows.equals(found.rows), name
        assert (whole.requests, whole.rolled_up, whole.clients) == (found.requests, found.rolled_up, found.clients)


@settings(deadline=None)  # kernels compile on their first call
@given(st.lists(ONE_DAY, min_size=1, max_size=20), st.lists(ONE_DAY, min_size=1, max_size=20))
def test_commutative(a: list[Row], b: list[Row]) -> None:
    """The order of two partials does not matter."""
    assert same(merge([one(a), one(b)]), merge([one(b), one(a)]))


@settings(deadline=None)  # kernels compile on their first call
@given(st.lists(ONE_DAY, min_size=1, max_size=20), st.integers(2, 5))
def test_idempotent_people(rows: list[Row], times: int) -> None:
    """Merging a partial with itself adds requests and bytes, in all and of each person, and no person."""
    single = one(rows)
    merged = merge([single] * times)
    assert single.people.equals(merged.people)
    for name, table in single.tables.items():
        for once, more in zip(table.to_pylist(), merged.tables[name].to_pylist(), strict=True):
            for of_once, of_more in ((once, more), *zip(once["people"], more["people"], strict=True)):
                assert of_once.get("person") == of_more.get("person")
                assert [n * times for n in (of_once["requests"], of_once["bytes"])] == [
                    of_more["requests"],
                    of_more["bytes"],
                ]


@settings(deadline=None)  # kernels compile on their first call
@given(st.lists(st.tuples(st.integers(18990, 19010), ONE_DAY), max_size=40))
def test_days_are_apart(dated: list[tuple[int, Row]]) -> None:
    """A batch of many days, in any order, gives the partials that its days give one by one, by date."""
    rows = [(day, *row[1:]) for day, row in dated]
    partials = aggregate(protected(rows), PLAN)
    days = sorted({row[0] for row in rows})
    assert len(days) == len(partials)
    for day, partial in zip(days, partials, strict=True):
        assert same(one([row for row in rows if row[0] == day]), partial)


def test_other_days_and_tables_are_refused() -> None:
    """Partials of different days or tables are not merged, nor are none at all."""
    row = (19000, 4, 1, 1, 1, 0, "GET", "a", "/")
    partial = one([row])
    other_tables = Partial(partial.day, partial.people, {"traffic": partial.tables["traffic"]})
    for wrong in ([], [partial, one([(19001, *row[1:])])], [partial, other_tables]):
        with pytest.raises(ValueError, match="one day"):
            merge(wrong)
    with pytest.raises(ValueError, match="nothing to merge"):
        release_in_shares(lambda: iter(()), TABLES, 2, Waiting())

"""`aggregate` against an independent Polars computation, and at its edges."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from tests.plans import plan_of, protected_of

from logblur.aggregate import aggregate, merge, release
from logblur.policy.plan import TablePlan
from logblur.schema import KEY_TYPES, UNIVERSES

MEASURES = ("requests", "visitors", "bytes")
TABLES = (
    TablePlan("traffic", "all", ("hour", "agent", "method"), MEASURES, 5),
    TablePlan("pages", "page", ("site", "path"), MEASURES, 5),
    TablePlan("errors", "error", ("status", "site", "path"), MEASURES, 5),
    TablePlan("wide", "human", ("path", "referrer_domain", "network", "hour"), MEASURES, 5),
    TablePlan("search_engines", "search", ("search_engine",), MEASURES, 5),
    TablePlan("bots", "bot", ("bot",), MEASURES, 5),
)
SIZES = {
    "agent": 2, "method": 6, "site": 3, "path": 900, "status": 12, "referrer_domain": 700, "network": 300,
    "search_engine": 9, "bot": 20,
}  # fmt: skip


def batch_of(rows: int, seed: int = 1, days: int = 1) -> pa.RecordBatch:
    """Random rows with a few heavy values and a long tail in each column."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(0, 2**64 - 1, (2, max(rows // 3, 1)), dtype=np.uint64)
    columns = {
        "date": pa.array(rng.integers(20000, 20000 + days, rows).astype(np.int32)),
        "universe": pa.array(rng.integers(0, 7, rows).astype(np.int8)),
        "bytes": pa.array(rng.integers(0, 10**13, rows)),
        "visitor": pa.array(rng.choice(tokens[0], rows)),
        "client": pa.array(rng.choice(tokens[1], rows)),
        "hour": pa.array(rng.integers(0, 24, rows).astype(np.int8)),
    }
    for name, size in SIZES.items():
        codes = (size * rng.random(rows) ** 3).astype(np.int32)
        columns[name] = pa.DictionaryArray.from_arrays(codes, [f"{name}{(i * 7919) % 104729}" for i in range(size)])
    return pa.RecordBatch.from_pydict(columns)


@pytest.mark.parametrize("told", [(), ("agent", "bot", "network"), ("bot", "path", "site", "status")])
@pytest.mark.parametrize("rows", [1, 50, 6000])
def test_aggregate_equals_polars(rows: int, told: tuple[str, ...]) -> None:
    """Keys, requests, bytes and distinct people of each group of each day are those that Polars computes.

    It does not matter which of the keys stand with the people: one person, by its tokens, may be several of them.
    """
    batch = batch_of(rows, days=3)
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    partials = aggregate(protected_of(batch, told), plan_of(*TABLES))
    assert sorted(frame["date"].unique().to_list()) == [(p.day - date(1970, 1, 1)).days for p in partials]
    for partial in partials:
        of_day = frame.filter(pl.col("date") == (partial.day - date(1970, 1, 1)).days)
        people = pl.DataFrame(
            partial.people.to_pydict(), {"visitor": pl.UInt64, "client": pl.UInt64, "parts": pl.UInt16}
        )
        bit = (2 ** pl.col("universe").cast(pl.Int64)).unique().sum().cast(pl.UInt16)
        assert of_day.group_by("visitor", "client").agg(parts=bit).sort("client", "visitor").equals(people)
        for table in TABLES:
            found = partial.tables[table.name]
            assert [pa.field(name, KEY_TYPES[name]) for name in table.by] == list(found.schema)[: len(table.by)]
            keys = [pl.col(name).cast(pl.String) if name != "hour" else name for name in table.by]
            expected = (
                of_day.filter(pl.col("universe").is_in(list(UNIVERSES[table.where])))
                .with_columns(keys)
                .group_by(table.by)
                .agg(
                    requests=pl.len().cast(pl.Int64),
                    bytes=pl.col("bytes").sum(),
                    people=pl.struct("client", "visitor"),
                    sizes=pl.col("bytes"),
                )
                .sort(table.by)
            )
            assert (
                expected.select(*table.by, "requests", "bytes").to_dict(as_series=False)
                == found.drop_columns("people").to_pydict()
            )
            pairs = partial.people.select(["client", "visitor"]).to_pylist()
            for lines, sizes, group in zip(expected["people"], expected["sizes"], found["people"], strict=True):
                by_person: dict[tuple[int, int], list[int]] = {}
                for line, size in zip(lines, sizes, strict=True):
                    by_person.setdefault((line["client"], line["visitor"]), []).append(size)
                assert [(p, len(s), sum(s)) for p, s in sorted(by_person.items())] == [
                    (tuple(pairs[one["person"]].values()), one["requests"], one["bytes"]) for one in group.as_py()
                ]


def test_released_equals_polars() -> None:
    """Where every group has k clients, the released table is the group-by itself, visitors distinct."""
    batch = batch_of(20_000, seed=3)
    table = TablePlan("traffic", "human", ("hour", "agent"), MEASURES, 2)
    found = release(merge(aggregate(protected_of(batch), plan_of(table))), [table])["traffic"]
    frame = pl.from_arrow(batch)
    assert isinstance(frame, pl.DataFrame)
    expected = (
        frame.filter(pl.col("universe") != 0)
        .with_columns(pl.col("agent").cast(pl.String))
        .group_by("hour", "agent")
        .agg(requests=pl.len(), visitors=pl.col("visitor").n_unique(), bytes=pl.col("bytes").sum())
        .sort("hour", "agent")
    )
    assert expected.to_dict(as_series=False) == found.rows.to_pydict()
    assert found.rolled_up == 0


def test_empty_batch() -> None:
    """No rows, no partials."""
    assert aggregate(protected_of(batch_of(0)), plan_of(*TABLES)) == []


def test_no_tables() -> None:
    """A plan without tables gives the day and its people alone."""
    (partial,) = aggregate(protected_of(batch_of(10)), plan_of())
    assert dict(partial.tables) == {}
    assert release(merge([partial, partial]), []) == {}


def test_universe_without_rows() -> None:
    """A table whose universe has no row is empty, with its columns, through all three steps."""
    batch = batch_of(50)
    batch = batch.set_column(1, "universe", pa.array(np.zeros(50, np.int8)))
    (partial,) = aggregate(protected_of(batch), plan_of(*TABLES))
    found = release(merge([partial, partial]), TABLES)["pages"]
    assert ["site", "path", *MEASURES] == found.rows.column_names
    assert (found.rows.num_rows, found.requests, found.rolled_up, found.clients) == (0, 0, 0, 0)


def test_sums_are_exact() -> None:
    """Bytes add up as integers: beyond 2**53, where floating point would lose the odd ones."""
    rows, size = 90_000, 10**13 + 1
    batch = batch_of(rows)
    batch = batch.set_column(2, "bytes", pa.array(np.full(rows, size)))
    table = TablePlan("all", "all", ("site",), MEASURES, 2)
    partials = aggregate(protected_of(batch), plan_of(table)) * 10
    found = release(merge(partials), [table])["all"]
    assert 10 * rows * size == sum(found.rows.column("bytes").to_pylist())


def test_dictionary_values_may_repeat() -> None:
    """Two codes of one text are one group."""
    batch = batch_of(4)
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, 1], pa.int32()), ["same", "same", "else"])
    batch = batch.set_column(batch.schema.get_field_index("site"), "site", twice)
    (partial,) = aggregate(protected_of(batch), plan_of(TablePlan("sites", "all", ("site",), MEASURES, 2)))
    assert [(r["site"], r["requests"]) for r in partial.tables["sites"].to_pylist()] == [("else", 1), ("same", 3)]


def test_importing_the_room_is_cheap() -> None:
    """Importing the package loads neither Numba nor PyArrow."""
    code = "import sys, logblur.aggregate; sys.exit(any(m in sys.modules for m in ('numba', 'pyarrow', 'polars')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_reprs_hold_no_value() -> None:
    """What the room returns shows counts only when printed."""
    (partial,) = aggregate(protected_of(batch_of(100)), plan_of(*TABLES))
    texts = repr(partial) + repr(release(partial, TABLES)["pages"])
    assert "path" not in texts

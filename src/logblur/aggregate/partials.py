"""Protected rows to partials, and partials to one: everything of `aggregate` that knows no threshold."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.kernels import (
    arrange, collect, extend, gather, intern, order_of, select, total, transpose,
)  # fmt: skip
from logblur.jit import Codes, Ints, Words
from logblur.policy.plan import Plan, TablePlan
from logblur.schema import KEY_TYPES, UNIVERSES, Partial, Protected, Universe

SEEDS: Final[Words] = np.frombuffer(secrets.token_bytes(16), np.uint64) | np.uint64(1)
"""Of the hash tables of this process. No result depends on them."""

_EPOCH = date(1970, 1, 1)


def aggregate(protected: Protected, plan: Plan) -> list[Partial]:
    """Group a batch of rows into the private, mergeable aggregate of each of its days.

    Args:
        protected: Rows as `schema.Protected` says, in any order.
        plan: Its ``tables`` are computed; the columns they are grouped by must be in the batch.

    Returns:
        One partial a distinct ``date``, by date. Equal sets of rows give equal partials, whatever their order.

    Privacy:
        Sees protected values and keyed tokens only. What it returns holds both, and is private to the state.

    Cost:
        Linear in the rows for each table, but for the sort of each column's distinct values; no Python object per
        row or group. Temporaries are about five 8-byte columns. Kernels release the GIL.
    """
    batch = protected.batch
    dates = batch.column("date").to_numpy()
    if np.any(dates[1:] < dates[:-1]):
        batch = batch.take(pa.array(np.argsort(dates, kind="stable")))
        dates = batch.column("date").to_numpy()
    # coded before the rows are cut into days: the cost of a dictionary is paid once a batch, not once a day
    columns = {name: _Column.of(batch.column(name)) for name in _names(plan.tables)}
    bounds = [0, *(np.flatnonzero(dates[1:] != dates[:-1]) + 1).tolist(), len(dates)]
    return [
        _of_day(
            _EPOCH + timedelta(days=int(dates[start])),
            batch.slice(start, stop - start),
            {name: column.slice(start, stop) for name, column in columns.items()},
            plan.tables,
        )
        for start, stop in zip(bounds, bounds[1:], strict=False)
        if stop > start
    ]


def merge(partials: Sequence[Partial]) -> Partial:
    """Unite partials of one day: requests and bytes add up, people are counted once.

    Args:
        partials: At least one; all of one day and of the same tables.

    Returns:
        A partial that does not depend on the order of ``partials``, nor on how they were merged before: the one that
        `aggregate` would have made of all their rows at once.

    Raises:
        ValueError: Nothing to merge, or partials of different days or tables.

    Cost:
        Linear in people and (group, person) pairs of all partials, plus a sort of the distinct key values; memory for
        the result and 12 bytes per pair of the largest table. Many partials are merged a few at a time in the memory
        of their union.
    """
    if len({(partial.day, *partial.tables) for partial in partials}) != 1:
        raise ValueError("only partials of one day and the same tables are merged")
    if len(partials) == 1:
        return partials[0]
    ids, people = _people(
        np.concatenate([partial.people.column("visitor").to_numpy() for partial in partials]),
        np.concatenate([partial.people.column("client").to_numpy() for partial in partials]),
    )
    firsts = np.cumsum([0, *(partial.people.num_rows for partial in partials)])
    maps = [ids[start:stop] for start, stop in zip(firsts, firsts[1:], strict=False)]
    names = partials[0].tables
    return Partial(
        partials[0].day, people, {name: _union([p.tables[name] for p in partials], maps, people.num_rows) for name in names}
    )


def lists(table: pa.Table) -> tuple[Ints, npt.NDArray[np.uint32]]:
    """Return the ``people`` of a partial's table as CSR: (offsets, members)."""
    people = table.column("people").combine_chunks()
    lengths = pc.list_value_length(people).to_numpy(zero_copy_only=False)
    return np.append(0, np.cumsum(lengths, dtype=np.int64)), people.flatten().to_numpy()


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """A key column as numbers that sort as its values do.

    Attributes:
        values: The column, dictionary-encoded.
        codes: Its codes.
        ranks: By code, the place of the value among the distinct values of the dictionary, sorted.
        size: How many distinct values the dictionary has.
    """

    values: pa.DictionaryArray
    codes: Codes
    ranks: Codes
    size: int

    @classmethod
    def of(cls, array: pa.Array) -> _Column:
        values = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        ranks = pc.rank(values.dictionary, tiebreaker="dense").to_numpy().astype(np.int32) - np.int32(1)
        return cls(values, values.indices.to_numpy(), ranks, int(ranks.max(initial=-1)) + 1)

    def slice(self, start: int, stop: int) -> _Column:
        return _Column(self.values.slice(start, stop - start), self.codes[start:stop], self.ranks, self.size)

    def take(self, rows: Codes, kind: pa.DataType) -> pa.Array:
        return self.values.take(pa.array(rows)).cast(kind)


def _names(tables: Sequence[TablePlan]) -> list[str]:
    return list(dict.fromkeys(name for table in tables for name in table.by))


def _of_day(day: date, batch: pa.RecordBatch, columns: Mapping[str, _Column], tables: Sequence[TablePlan]) -> Partial:
    ids, people = _people(batch.column("visitor").to_numpy(), batch.column("client").to_numpy())
    starts, order = arrange(ids, people.num_rows)
    parts, sizes = batch.column("universe").to_numpy(), batch.column("bytes").to_numpy()
    grouped = {}
    for table in tables:
        wanted = np.zeros(len(Universe), np.bool_)
        wanted[list(UNIVERSES[table.where])] = True
        by = {name: columns[name] for name in table.by}
        keys, groups = _keys(select(parts, wanted), by)
        requests, size, example = total(keys, sizes, groups)
        offsets, members = collect(starts, gather(keys, order), groups)
        grouped[table.name] = _table(by, example, requests, size, offsets, members)
    return Partial(day, people, grouped)


def _union(tables: Sequence[pa.Table], maps: Sequence[Codes], people: int) -> pa.Table:
    joined = pa.concat_tables([table.drop_columns("people") for table in tables])
    by = {name: _Column.of(joined.column(name).combine_chunks()) for name in joined.column_names[:-2]}
    csr = [lists(table) for table in tables]
    lengths = np.concatenate([np.diff(offsets) for offsets, _ in csr])
    members = np.concatenate([gather(ids, members) for ids, (_, members) in zip(maps, csr, strict=True)])
    keys, groups = _keys(np.zeros(joined.num_rows, np.int32), by)
    requests, size, example = np.zeros(groups, np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int32)
    np.add.at(requests, keys, joined.column("requests").to_numpy())
    np.add.at(size, keys, joined.column("bytes").to_numpy())
    example[keys] = np.arange(len(keys), dtype=np.int32)
    starts, by_person = transpose(np.append(0, np.cumsum(lengths)), members, keys, people)
    return _table(by, example, requests, size, *collect(starts, by_person, groups))


def _people(visitor: Words, client: Words) -> tuple[Codes, pa.Table]:
    """Return a person's number for each row, and the people, by client and visitor: the clients of a list of people
    then lie side by side in memory, and equal rows give equal people."""
    codes, clients, visitors = intern(client, visitor, SEEDS)
    order = order_of(clients, visitors)
    ids = np.empty(len(order), np.int32)
    ids[order] = np.arange(len(order), dtype=np.int32)
    people = pa.table({"visitor": gather(visitors, order), "client": gather(clients, order)})
    return gather(ids, codes), people


def _keys(keys: Codes, by: Mapping[str, _Column]) -> tuple[Codes, int]:
    """Return for each row a number below the second result that sorts as its key columns do; -1 stays -1.

    A number is the ranks of the columns as digits. Not every number need occur; where too few would, they are
    numbered anew, so that arrays over all groups stay as short as a few rows.
    """
    groups = 1
    for column in by.values():
        if groups * column.size <= 4 * len(keys) + 1024:
            extend(keys, column.codes, column.ranks, column.size)
            groups *= column.size
        else:
            rows = np.flatnonzero(keys >= 0)
            wide = keys[rows].astype(np.uint64) * np.uint64(column.size)
            wide += column.ranks[column.codes[rows]].astype(np.uint64)
            codes, distinct, _ = intern(wide, np.zeros_like(wide), SEEDS)
            ranks = np.empty(len(distinct), np.int32)
            ranks[np.argsort(distinct)] = np.arange(len(distinct), dtype=np.int32)
            keys[rows] = ranks[codes]
            groups = len(distinct)
    return keys, groups


def _table(
    by: Mapping[str, _Column],
    example: Codes,
    requests: Ints,
    size: Ints,
    offsets: Ints,
    members: npt.NDArray[np.uint32],
) -> pa.Table:
    """Return the groups that have rows, sorted by their keys, as a table of a partial."""
    present = np.flatnonzero(requests)
    bounds = pa.array(np.append(offsets[present], len(members)), pa.int32())
    return pa.table(
        {name: column.take(example[present], KEY_TYPES[name]) for name, column in by.items()}
        | {
            "requests": requests[present],
            "bytes": size[present],
            "people": pa.ListArray.from_arrays(bounds, pa.array(members)),
        }
    )

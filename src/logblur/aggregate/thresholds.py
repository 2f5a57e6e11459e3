"""Thresholds: a day's partial to the rows that may be published (docs/design.md, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.kernels import Members, collect, count_distinct, intern, transpose
from logblur.aggregate.partials import SEEDS, lists
from logblur.jit import Codes, Ints
from logblur.policy.plan import TablePlan
from logblur.schema import KEY_TYPES, OTHER, Partial


@dataclass(frozen=True, slots=True, eq=False)
class Released:
    """One table of one day, as it may be published.

    Attributes:
        rows: The key columns in the order of the table's ``by``, then its measures in their order, int64; sorted by
            the keys, nulls last; no row describes fewer than k clients.
        requests: Requests of the whole universe, also where no row is published.
        rolled_up: Requests of the rows that carry ``(other)``, or a null hour, in any key.
        clients: Distinct clients of the whole universe. Like `requests` not public where no row is.
    """

    rows: pa.Table
    requests: int
    rolled_up: int
    clients: int

    def __repr__(self) -> str:
        return f"Released(rows={self.rows.num_rows})"


def release(partial: Partial, tables: Sequence[TablePlan]) -> dict[str, Released]:
    """Roll up what describes too few clients, until no row does.

    A group with fewer than k distinct clients moves one level up: its last key becomes ``(other)`` (null for
    ``hour``). What is left there with fewer than k moves up again. Only at the top, where every key is ``(other)``,
    a leftover absorbs the smallest remaining row (by clients, then keys). Fewer than k clients in all: no rows.

    Args:
        partial: The whole day, merged; as `aggregate` and `merge` make it. No key of it is ``(other)``.
        tables: The tables to release, each of them in ``partial``.

    Returns:
        By name of the table.

    Privacy:
        Every row describes at least ``min_clients`` distinct clients, each counted once however many requests,
        agents or groups it has. Where rows are published, their requests and bytes add up to the universe's.

    Cost:
        Linear in the (group, person) pairs for each level, and a sort of the published rows; no Python object per
        group or pair.
    """
    visitor, client = (partial.people.column(name).to_numpy() for name in ("visitor", "client"))
    visitors, distinct, _ = intern(visitor, np.zeros_like(visitor), SEEDS)
    clients = np.cumsum(np.append(True, client[1:] != client[:-1])[: len(client)], dtype=np.int32)  # people are sorted
    people = _People(visitors, len(distinct), clients, len(clients) + 1)
    return {table.name: _release(partial.tables[table.name], table, people) for table in tables}


@dataclass(frozen=True, slots=True, eq=False)
class _People:
    """By person: the visitor and the client, as numbers below ``visitors`` and ``clients``."""

    visitor: Codes
    visitors: int
    client: Codes
    clients: int


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Groups whose first ``depth`` keys are values and whose other keys are ``(other)``, sorted by their keys.

    Attributes:
        depth: How many keys are values.
        example: By cell, a row of the partial's table that is in it.
        requests, bytes, clients: By cell.
        offsets, members: The people of each cell, as CSR.
    """

    depth: int
    example: Ints
    requests: Ints
    bytes: Ints
    clients: Ints
    offsets: Ints
    members: Members


def _release(groups: pa.Table, table: TablePlan, people: _People) -> Released:
    levels = _levels(groups, table, people)
    requests = int(levels[0].requests.sum())
    clients = int(_distinct_clients(people, levels[0].members)[0])
    rows = pa.concat_tables(
        _rows(groups, table, people, cells, np.flatnonzero(cells.clients >= table.min_clients)) for cells in levels
    ).sort_by([(name, "ascending") for name in table.by])
    top = levels[-1]
    if top.depth == 0 and top.clients[0] < table.min_clients and rows.num_rows:
        rows = _absorb(rows, groups, table, people, levels)
    rolled_up = int(rows.column("requests").to_numpy()[rows.column("depth").to_numpy() < len(table.by)].sum())
    return Released(rows.select([*table.by, *table.measures]), requests, rolled_up, clients)


def _levels(groups: pa.Table, table: TablePlan, people: _People) -> list[_Cells]:
    """Return the cells of each level, finest first: each level holds what the one before has with too few clients."""
    offsets, members = lists(groups)
    cells = _Cells(
        len(table.by),
        np.arange(groups.num_rows),
        groups.column("requests").to_numpy(),
        groups.column("bytes").to_numpy(),
        _distinct_clients(people, members, offsets),
        offsets,
        members,
    )
    differs = np.array([_differs(groups.column(name)) for name in table.by])
    levels = [cells]
    while cells.depth and (few := np.flatnonzero(cells.clients < table.min_clients)).size:
        # groups are sorted by their keys, so a parent begins where one of the keys that it keeps differs
        parents = np.cumsum(differs[: cells.depth - 1].any(axis=0))[cells.example[few]]
        begins = np.append(True, parents[1:] != parents[:-1])
        first = np.flatnonzero(begins)
        targets = np.full(len(cells.example), -1, np.int32)
        targets[few] = np.cumsum(begins) - 1
        offsets, members = collect(*transpose(cells.offsets, cells.members, targets, len(people.client)), len(first))
        cells = _Cells(
            cells.depth - 1,
            cells.example[few[first]],
            np.add.reduceat(cells.requests[few], first),
            np.add.reduceat(cells.bytes[few], first),
            _distinct_clients(people, members, offsets),
            offsets,
            members,
        )
        levels.append(cells)
    return levels


def _rows(groups: pa.Table, table: TablePlan, people: _People, cells: _Cells, which: Ints) -> pa.Table:
    """Return some cells of a level as rows, with what `_absorb` needs to find a cell again."""
    keys = {
        name: groups.column(name).take(pa.array(cells.example[which]))
        if place < cells.depth
        else _others(name, len(which))
        for place, name in enumerate(table.by)
    }
    return pa.table(
        keys
        | {
            "requests": cells.requests[which],
            "visitors": count_distinct(cells.offsets, cells.members, people.visitor, people.visitors)[which],
            "bytes": cells.bytes[which],
            "clients": cells.clients[which],
            "depth": np.full(len(which), cells.depth),
            "cell": which,
        }
    )


def _absorb(rows: pa.Table, groups: pa.Table, table: TablePlan, people: _People, levels: list[_Cells]) -> pa.Table:
    """Return the rows without the smallest, which the leftover at the top takes in.

    One is always enough: every row has k clients, so the leftover has them once it holds a row.
    """
    smallest = int(np.argmin(rows.column("clients").to_numpy()))  # the first of them in key order
    row = rows.slice(smallest, 1).to_pylist()[0]
    top, cells = levels[-1], levels[len(table.by) - row["depth"]]
    members = np.append(top.members, cells.members[cells.offsets[row["cell"]] : cells.offsets[row["cell"] + 1]])
    leftover = _Cells(
        0,
        top.example,
        top.requests + row["requests"],
        top.bytes + row["bytes"],
        _distinct_clients(people, members),
        np.array([0, len(members)]),
        members,
    )
    return pa.concat_tables(
        [
            rows.slice(0, smallest),
            rows.slice(smallest + 1),
            _rows(groups, table, people, leftover, np.array([0])),
        ]
    ).sort_by([(name, "ascending") for name in table.by])


def _distinct_clients(people: _People, members: Members, offsets: Ints | None = None) -> Ints:
    """Return the distinct clients of each cell, or of all members where no cells are given."""
    if offsets is None:
        offsets = np.array([0, len(members)])
    return count_distinct(offsets, members, people.client, people.clients)


def _differs(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Return whether each value differs from the one before; the first one does not."""
    differs = pc.not_equal(column.slice(1), column.slice(0, max(len(column) - 1, 0)))
    return np.append(np.zeros(min(len(column), 1), np.bool_), differs.to_numpy())


def _others(name: str, count: int) -> pa.Array:
    kind = KEY_TYPES[name]
    return pa.nulls(count, kind) if name == "hour" else pa.repeat(pa.scalar(OTHER, kind), count)

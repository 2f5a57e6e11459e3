"""Thresholds: a day's partial to the rows that may be published (docs/design.md, section 6).

Three rules, one after the other. Within a table, what describes too few clients, or nearly one alone, rolls up. Where
``agent`` is rolled up, neither people nor bots are too few to be found by subtracting a table of the others. And
among tables of nested universes none is published that leaves too few when it is subtracted from a larger one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.downloads import judged
from logblur.aggregate.kernels import Lists, absorb, collect, count_distinct, survey, total, transpose
from logblur.aggregate.nested import by_agent, withheld
from logblur.aggregate.partials import lists
from logblur.jit import Codes, Ints
from logblur.jit.codes import SEEDS, intern
from logblur.policy.plan import TablePlan, of_files
from logblur.schema import NOBODY, OTHER, Partial, key_type

Flags = npt.NDArray[np.bool_]
_AGENTS: Final = ("human", "bot")


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
    """Roll up what describes too few clients, or nearly one alone, until no row does; withhold what can be subtracted.

    A group moves one level up (its last key becomes ``(other)``, null for ``hour``) where it has fewer than k distinct
    clients, or where one of them makes more than `max_client_share` of its requests or its bytes, if the table shows
    them. What is left there moves up again. Only at the top, where every key is ``(other)``, a leftover absorbs the
    smallest remaining row (by clients, then keys), one at a time, until it may stay. Where it never may: no rows.

    Args:
        partial: The whole day, merged; as `merge` or `merge_in_ranges` make it.
        tables: All tables of the day's snapshot, each of them in ``partial``.

    Returns:
        By name of the table.

    Privacy:
        Every row describes at least ``min_clients`` distinct clients, each counted once however many requests,
        agents or groups it has. Where rows are published, their requests and bytes add up to the universe's; no
        difference of such sums describes fewer clients than that but none (`nested.withheld`).

    Cost:
        Linear in the (group, person) pairs for each level, and a sort of the published rows; no Python object per
        group or pair.
    """
    people = People.of(partial.people)
    rollups = {table.name: Rollup(partial.tables[table.name], table, people) for table in tables}
    released = {name: _release(rollup) for name, rollup in rollups.items()}
    shown = {name for name, found in released.items() if found.rows.num_rows}
    told = {"human", "bot"} if any(rollups[name].tells_agents for name in shown) else set()
    parts = partial.people.column("parts").to_numpy()
    for name in withheld(tables, shown, told, people.client, parts):
        released[name] = replace(released[name], rows=released[name].rows.slice(0, 0), rolled_up=0)
    return released


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """By person: the visitor and the client, as numbers below ``visitors`` and ``clients``; and who is no visitor."""

    visitor: Codes
    visitors: int
    client: Codes
    clients: int
    nobody: Flags

    @classmethod
    def of(cls, people: pa.Table) -> People:
        """Number the visitors and clients of a partial's people, who are sorted by their client."""
        visitor, client = (people.column(name).to_numpy() for name in ("visitor", "client"))
        visitors, distinct, _ = intern(visitor, np.zeros_like(visitor), SEEDS)
        clients = np.cumsum(np.append(False, client[1:] != client[:-1])[: len(client)], dtype=np.int32)
        return cls(visitors, len(distinct), clients, int(clients.max(initial=-1)) + 1, visitor == NOBODY)

    def visitors_of(self, lists: Lists) -> Ints:
        """Return the distinct visitors of each group; the token that those share who are none is not one of them."""
        found: Ints = count_distinct(lists.offsets, lists.members, self.visitor, self.visitors)
        if self.nobody.any():
            both = count_distinct(lists.offsets, lists.members, self.nobody.astype(np.int32), 2) == 2
            found -= both | self.nobody[lists.members[lists.offsets[:-1]]]
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Rows to be: groups whose first ``depth`` keys are values and whose other keys are ``(other)``, in key order.

    Attributes:
        depth: How many keys are values.
        first: By cell, the first of its groups.
        requests, downloads, bytes, clients: By cell; the clients are distinct.
        lists: Who is in each cell.
        unfit: By cell, whether its clients are too few, or one of them makes too much of it.
    """

    depth: int
    first: Ints
    requests: Ints
    downloads: Ints
    bytes: Ints
    clients: Ints
    lists: Lists
    unfit: Flags


class Rollup:
    """The groups of one table of a day, on their way into rows.

    Attributes:
        depth: By group, how many of its keys are values in the row it goes into; the others are ``(other)``.
        first: By group, the first group of that row: its name.
    """

    def __init__(self, groups: pa.Table, table: TablePlan, people: People) -> None:
        downloads: Ints | None = None
        if of_files(table.where, table.by):
            groups, downloads = judged(groups, table)
        self.groups, self.table, self.people = groups, table, people
        self.lists = lists(groups)
        # the lists again, with downloads for requests
        self.downloads = None
        if downloads is not None and "downloads" in table.measures:
            self.downloads = self.lists._replace(requests=downloads.astype(np.uint32))
        self.requests, self.bytes = (groups.column(name).to_numpy() for name in ("requests", "bytes"))
        self.first = np.arange(groups.num_rows)
        last = groups.column(table.by[-1])  # is rolled up in what `condense` made
        rolled = pc.is_null(last) if table.by[-1] == "hour" else pc.equal(last, OTHER)
        self.depth: Ints = len(table.by) - rolled.to_numpy().astype(np.int64)
        shown = (name in table.measures for name in ("requests", "bytes"))
        self.shares = [table.max_client_share if is_shown else 1.0 for is_shown in shown]
        # groups are sorted by their keys: a row of some depth begins where one of so many keys differs
        self._differs = np.array([_differs(groups.column(name)) for name in table.by])

    def cells(self, depth: int) -> _Cells:
        """Return the cells that the groups of this depth make."""
        groups = np.flatnonzero(self.depth == depth)
        targets = None
        if len(groups) == len(self.depth) and depth == len(self.table.by):
            begins = groups
        else:
            prefix = np.cumsum(self._differs[:depth].any(axis=0))[groups]
            new = np.append(True, prefix[1:] != prefix[:-1])[: len(groups)]
            begins, targets = np.flatnonzero(new), np.full(len(self.depth), -1, np.int32)
            targets[groups] = np.cumsum(new) - 1
            self.first[groups] = groups[begins][targets[groups]]
        found = self._united(self.lists, targets, len(begins))
        requests, size = (
            np.add.reduceat(of[groups], begins) if len(begins) else of[:0] for of in (self.requests, self.bytes)
        )
        clients, most, largest = survey(found, self.people.client)
        dominated = (most > self.shares[0] * requests) | (largest > self.shares[1] * size)
        unfit = dominated | (clients < self.table.min_clients)
        downloads = requests
        if self.downloads is not None:
            taken = self._united(self.downloads, targets, len(begins))
            downloads = total(taken.offsets, taken.requests)
            unfit |= survey(taken, self.people.client)[1] > self.table.max_client_share * downloads
        return _Cells(depth, groups[begins], requests, downloads, size, clients, found, unfit)

    def _united(self, of: Lists, targets: Codes | None, count: int) -> Lists:
        """Return the lists of cells, given the cell of each group, or -1; where none are given, groups are cells."""
        return of if targets is None else collect(*transpose(of, targets, len(self.people.client)), count)[0]

    def rows(self, cells: _Cells, which: Ints) -> pa.Table:
        """Return some cells as rows, with what tells where they come from."""
        first = pa.array(cells.first[which])
        keys = {
            name: self.groups.column(name).take(first) if place < cells.depth else others(name, len(which))
            for place, name in enumerate(self.table.by)
        }
        visitors = self.people.visitors_of(cells.lists)
        return pa.table(
            keys
            | {
                "requests": cells.requests[which],
                "downloads": cells.downloads[which],
                "visitors": visitors[which],
                "bytes": cells.bytes[which],
                "clients": cells.clients[which],
                "depth": np.full(len(which), cells.depth),
                "first": first,
            }
        )

    def groups_of(self, first: Ints) -> Flags:
        """Return which groups go into the rows that these first groups name."""
        named = np.zeros(len(self.first), np.bool_)
        named[first] = True
        return named[self.first]

    def without_agent(self, agent: str) -> Flags:
        """Return which groups are of an agent, and in rows in which ``agent`` is ``(other)``."""
        of_agent: Flags = pc.equal(self.groups.column("agent"), agent).to_numpy()
        return of_agent & (self.depth <= self.table.by.index("agent"))

    @property
    def tells_agents(self) -> bool:
        """Whether rows add up to all people and to all bots: no row holds both."""
        return by_agent(self.table) and not all(self.without_agent(agent).any() for agent in _AGENTS)

    def clients(self, groups: Flags) -> int:
        """Return how many distinct clients some groups have together."""
        seen = np.zeros(len(self.people.client), np.bool_)
        seen[self.people.client[self.lists.members[np.repeat(groups, np.diff(self.lists.offsets))]]] = True
        return int(np.count_nonzero(seen))


def _release(rollup: Rollup) -> Released:
    table, levels = rollup.table, []
    for depth in range(len(table.by), 0, -1):
        levels.append(cells := rollup.cells(depth))
        rollup.depth[rollup.groups_of(cells.first[cells.unfit])] = depth - 1
    levels.append(top := rollup.cells(0))
    rows = _sorted([rollup.rows(cells, np.flatnonzero(~cells.unfit)) for cells in levels], table)
    if top.unfit.any():
        rows = _absorb(rollup, rows)
    if by_agent(table):
        for agent in _AGENTS:
            rows = _hide(agent, rollup, rows)
    rolled_up = int(rows.column("requests").to_numpy()[rows.column("depth").to_numpy() < len(table.by)].sum())
    everyone = rollup.clients(np.ones(len(rollup.depth), np.bool_))
    return Released(rows.select([*table.by, *table.measures]), int(rollup.requests.sum()), rolled_up, everyone)


def _absorb(rollup: Rollup, rows: pa.Table) -> pa.Table:
    """Return the rows without the smallest, as many as it takes for the leftover at the top to stay with them.

    No rows where all of them are not enough: then the table-day as a whole has too few clients, or one too large.
    """
    smallest = np.argsort(rows.column("clients").to_numpy(), kind="stable")  # rows are in key order
    first = rows.column("first").to_numpy()[smallest]
    turn = np.zeros(len(rollup.depth), np.int64)  # by the first group of a row; the leftover comes before all
    turn[first] = np.arange(1, len(first) + 1)
    turns = turn[rollup.first]
    groups, ends = np.argsort(turns, kind="stable"), np.cumsum(np.bincount(turns, minlength=len(first) + 1))
    of_requests, of_bytes = rollup.shares
    needed = absorb(rollup.lists, groups, ends, rollup.people.client, rollup.table.min_clients, of_requests, of_bytes)
    if needed > len(ends):
        return rows.slice(0, 0)
    moved = _moved(rollup, rows, first[: needed - 1], 0)
    return rows.slice(0, 0) if rollup.cells(0).unfit.any() else moved  # one client makes too many of the downloads


def _hide(agent: str, rollup: Rollup, rows: pa.Table) -> pa.Table:
    """Return rows that do not tell, beside the total of all bots, how the few of an agent that are rolled up are.

    Rows of one agent add up to its total but for those in which ``agent`` is ``(other)``. Where those hold clients of
    it, but fewer than k, the agent's smallest row moves up to them, to where ``agent`` is ``(other)``.
    """
    own = np.flatnonzero(pc.equal(rows.column("agent"), agent).to_numpy())
    if not len(own) or not 0 < rollup.clients(rollup.without_agent(agent)) < rollup.table.min_clients:
        return rows
    smallest = own[np.argmin(rows.column("clients").to_numpy()[own])]
    first = rows.column("first").to_numpy()[smallest : smallest + 1]
    return _moved(rollup, rows, first, rollup.table.by.index("agent"))


def _moved(rollup: Rollup, rows: pa.Table, first: Ints, depth: int) -> pa.Table:
    """Return the rows after those named by their first groups have moved up to where ``depth`` keys are values."""
    moving = rollup.groups_of(first)
    stay = ~moving[rows.column("first").to_numpy()] & (rows.column("depth").to_numpy() != depth)
    rollup.depth[moving] = depth
    cells = rollup.cells(depth)
    return _sorted([rows.filter(pa.array(stay)), rollup.rows(cells, np.arange(len(cells.first)))], rollup.table)


def _sorted(rows: Sequence[pa.Table], table: TablePlan) -> pa.Table:
    return pa.concat_tables(rows).sort_by([(name, "ascending") for name in table.by])


def _differs(column: pa.ChunkedArray) -> Flags:
    """Return whether each value differs from the one before; the first one does not."""
    differs = pc.not_equal(column.slice(1), column.slice(0, max(len(column) - 1, 0)))
    return np.append(np.zeros(min(len(column), 1), np.bool_), differs.to_numpy())


def others(name: str, count: int) -> pa.Array:
    """Return what a key column holds in rows that are rolled up beyond it."""
    kind = key_type(name)
    return pa.nulls(count, kind) if name == "hour" else pa.repeat(pa.scalar(OTHER, kind), count)

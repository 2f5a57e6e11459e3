"""Thresholds: a day's partial to the rows that may be published (docs/design.md, section 6).

Three rules, one after the other. Within a table, what describes too few clients, or nearly one alone, rolls up. Where
``agent`` is rolled up, neither people nor bots are too few to be found by subtracting a table of the others. And
among tables of nested universes none is published that leaves too few when it is subtracted from a larger one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.downloads import judged
from logblur.aggregate.kernels import Lists, absorb, collect, count_distinct, survey, total, transpose
from logblur.aggregate.nested import by_agent, seen_in, withheld
from logblur.aggregate.partials import lists
from logblur.jit import Codes, Ints
from logblur.jit.codes import SEEDS, intern
from logblur.placeholders import OTHER
from logblur.policy.plan import TablePlan, of_files
from logblur.schema import NOBODY, Partial, key_type

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
        partial: The whole day, merged.
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
    found = ((table, partial.tables[table.name]) for table in tables)
    rollups = (Rollup(groups, table, (Part(people, lists(groups)),)) for table, groups in found)
    return release_tables(rollups, seen_in(people.client, partial.people.column("parts").to_numpy()))


def release_tables(rollups: Iterable[Rollup], seen: Ints) -> dict[str, Released]:
    """Do what `release` does, with tables that come one after the other.

    Args:
        rollups: All tables of the day's snapshot.
        seen: How many clients were seen in which parts of the whole (`nested.seen_in`).
    """
    released: dict[str, Released] = {}
    tables, told = [], set()
    for rollup in rollups:
        tables.append(rollup.table)
        released[rollup.table.name] = made = _release(rollup)
        if made.rows.num_rows and rollup.tells_agents:
            told = {"human", "bot"}
    shown = {name for name, made in released.items() if made.rows.num_rows}
    for name in withheld(tables, shown, told, seen):
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
            found -= total(lists.offsets, self.nobody[lists.members].astype(np.uint32)) > 0
        return found


class Part(NamedTuple):
    """All people of some clients, and who of them is in each group.

    Attributes:
        people: Numbered from 0.
        lists: One for each group of the table.
        downloads: By group and person, in the order of the lists; of tables of files.
    """

    people: People
    lists: Lists
    downloads: Ints | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Rows to be: groups whose first ``depth`` keys are values and whose other keys are ``(other)``, in key order.

    Attributes:
        depth: How many keys are values.
        first: By cell, the first of its groups.
        requests, downloads, bytes, clients, visitors: By cell; clients and visitors are distinct.
        unfit: By cell, whether its clients are too few, or one of them makes too much of it.
    """

    depth: int
    first: Ints
    requests: Ints
    downloads: Ints
    bytes: Ints
    clients: Ints
    visitors: Ints
    unfit: Flags


class Rollup:
    """The groups of one table of a day, on their way into rows.

    Args:
        groups: Their keys, requests and bytes, as in a partial; sorted by the keys.
        table: What they are grouped by.
        parts: The day's clients, each in one part; gone through several times. A tuple is in memory.

    Attributes:
        depth: By group, how many of its keys are values in the row it goes into; the others are ``(other)``.
        first: By group, the first group of that row: its name.
    """

    def __init__(self, groups: pa.Table, table: TablePlan, parts: Iterable[Part]) -> None:
        if of_files(table.where, table.by):
            groups, parts = judged(groups, table, parts)
        self.groups, self.table, self.parts = groups, table, parts
        self.requests, self.bytes = (groups.column(name).to_numpy() for name in ("requests", "bytes"))
        self.first = np.arange(groups.num_rows)
        self.depth: Ints = np.full(groups.num_rows, len(table.by))
        for place in range(len(table.by) - 1, -1, -1):  # rolled up already, by `shares`
            self.depth[(self.depth == place + 1) & _is_other(groups.column(table.by[place]))] = place
        shown = (name in table.measures for name in ("requests", "bytes"))
        self.shares = [table.max_client_share if is_shown else 1.0 for is_shown in shown]
        # groups are sorted by their keys: a row of some depth begins where one of so many keys differs
        self._differs = np.array([_differs(groups.column(name)) for name in table.by])

    def cells(self, depth: int) -> _Cells:
        """Return the cells that the groups of this depth make."""
        groups, begins, targets = self._rows_of(depth)
        requests, size = (
            np.add.reduceat(of[groups], begins) if len(begins) else of[:0] for of in (self.requests, self.bytes)
        )
        clients, visitors, most, largest, downloads, most_downloads = np.zeros((6, len(begins)), np.int64)
        counts_downloads = "downloads" in self.table.measures and of_files(self.table.where, self.table.by)
        for people, found, taken in self.parts:
            united = united_lists(found, targets, len(begins), len(people.client))
            of_clients, of_requests, of_bytes = survey(united, people.client)
            clients += of_clients
            visitors += people.visitors_of(united)
            np.maximum(most, of_requests, out=most)
            np.maximum(largest, of_bytes, out=largest)
            if counts_downloads and taken is not None:
                again = found._replace(requests=taken.astype(np.uint32))
                united = united_lists(again, targets, len(begins), len(people.client))
                downloads += total(united.offsets, united.requests)
                np.maximum(most_downloads, survey(united, people.client)[1], out=most_downloads)
        unfit = (most > self.shares[0] * requests) | (largest > self.shares[1] * size)
        unfit |= clients < self.table.min_clients
        if counts_downloads:
            unfit |= most_downloads > self.table.max_client_share * downloads
        taken_by = downloads if counts_downloads else requests
        return _Cells(depth, groups[begins], requests, taken_by, size, clients, visitors, unfit)

    def _rows_of(self, depth: int) -> tuple[Ints, Ints, Codes | None]:
        """Give the rows at a depth their names; return its groups, where each row begins in them, and by group its row.

        None for the rows by group where each group is one.
        """
        groups = np.flatnonzero(self.depth == depth)
        if len(groups) == len(self.depth) and depth == len(self.table.by):
            return groups, groups, None
        prefix = self._prefixes(depth)[groups]
        new = np.append(True, prefix[1:] != prefix[:-1])[: len(groups)]
        begins, targets = np.flatnonzero(new), np.full(len(self.depth), -1, np.int32)
        targets[groups] = np.cumsum(new) - 1
        self.first[groups] = groups[begins][targets[groups]]
        return groups, begins, targets

    def _prefixes(self, depth: int) -> Ints:
        """Return by group a number that tells its first keys from others."""
        return np.cumsum(self._differs[:depth].any(axis=0))

    def name_rows(self, lowest: int) -> None:
        """Leave `first` as it is for groups of these depths, whatever moved last."""
        for depth in range(len(self.table.by), lowest - 1, -1):
            self._rows_of(depth)

    def at_edge(self, cells: _Cells) -> Flags:
        """Return which cells have the keys of the first or the last group: there may be more of them elsewhere."""
        prefix = self._prefixes(cells.depth)
        return np.isin(prefix[cells.first], prefix[[0, -1]])

    def rows(self, cells: _Cells, which: Ints) -> pa.Table:
        """Return some cells as rows, with what tells where they come from."""
        first = pa.array(cells.first[which])
        keys = {
            name: self.groups.column(name).take(first) if place < cells.depth else others(name, len(which))
            for place, name in enumerate(self.table.by)
        }
        return pa.table(
            keys
            | {
                "requests": cells.requests[which],
                "downloads": cells.downloads[which],
                "visitors": cells.visitors[which],
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
        count = 0
        for people, found, _ in self.parts:
            seen = np.zeros(people.clients, np.bool_)
            seen[people.client[found.members[np.repeat(groups, np.diff(found.offsets))]]] = True
            count += int(np.count_nonzero(seen))
        return count


def united_lists(of: Lists, targets: Codes | None, count: int, people: int) -> Lists:
    """Return the lists of cells, given the cell of each group, or -1; where none are given, groups are cells."""
    return of if targets is None else collect(*transpose(of, targets, people), count)[0]


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
    clients, most, largest = np.zeros((3, len(ends)), np.int64)
    for people, found, _ in rollup.parts:
        of_clients, of_requests, of_bytes = absorb(found, groups, ends, people.client)
        clients += of_clients
        np.maximum(most, of_requests, out=most)
        np.maximum(largest, of_bytes, out=largest)
    requests, size = (np.cumsum(of[groups])[ends - 1] for of in (rollup.requests, rollup.bytes))
    fit = (most <= rollup.shares[0] * requests) & (largest <= rollup.shares[1] * size)
    fit &= clients >= rollup.table.min_clients
    if not fit.any():
        return rows.slice(0, 0)
    moved = _moved(rollup, rows, first[: int(np.argmax(fit))], 0)
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


def _is_other(column: pa.ChunkedArray) -> Flags:
    """Return where a key column holds what `others` gives."""
    rolled = pc.is_null(column) if column.type == pa.int8() else pc.equal(column, OTHER)
    found: Flags = rolled.to_numpy()
    return found


def others(name: str, count: int) -> pa.Array:
    """Return what a key column holds in rows that are rolled up beyond it."""
    kind = key_type(name)
    return pa.nulls(count, kind) if name == "hour" else pa.repeat(pa.scalar(OTHER, kind), count)

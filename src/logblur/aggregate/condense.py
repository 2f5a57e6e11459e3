"""Merging a day that is larger than memory: one range of keys after the other, each made small before the next.

The partials are cut into ranges that wait on disk, encrypted as they are, until it is their turn. What publishing needs
of a group that is too small for a row is only that it goes into the row above. So within a range, in which every
partial's share is merged, all groups that roll up become one group for each row above them, its last key ``(other)``
already. What `release` makes of the rest is what it would have made of the whole.
"""

from __future__ import annotations

import functools
import itertools
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from logblur.aggregate.kernels import Counts
from logblur.aggregate.nested import by_agent
from logblur.aggregate.partials import lists, merge, people_of, union, unite
from logblur.aggregate.thresholds import People, Rollup, others
from logblur.jit.codes import gather
from logblur.policy.plan import TablePlan, of_files
from logblur.schema import Partial

Cuts = list[tuple[Any, ...]]  # keys, ascending, one fewer than there are ranges; none where there are no groups
_SAMPLES = 256
"""Keys of each partial that say where to cut."""


class Spill(Protocol):
    """Where ranges wait."""

    def put(self, number: int, partial: Partial) -> None:
        """Keep a share of a range."""
        ...

    def take(self, number: int) -> Iterable[Partial]:
        """Give back all shares of a range, in the order they came, and keep them no longer."""
        ...


def merge_in_ranges(
    read: Callable[[], Iterable[Partial]], tables: Sequence[TablePlan], ranges: int, spill: Spill
) -> Partial:
    """Unite partials of one day as `merge` does, but for groups that `release` would roll up: those are rolled up once.

    Args:
        read: Gives the partials, at least one, all of one day; called twice.
        tables: The Plan's.
        ranges: Into how many the groups of a table are cut; so many shares of the partials are merged at first, too.
        spill: Where they wait.

    Returns:
        A partial of which `release` makes the same rows as of the merged whole.

    Cost:
        Memory: one share as it is merged, or one range; the people; and of groups that may be published who is in them.
        Everything is read three times and written once.
    """
    count, whole, cuts = _survey(read(), tables, ranges)
    people, same = whole.people, np.arange(whole.people.num_rows, dtype=np.uint32)
    partials = iter(read())
    while share := list(itertools.islice(partials, -(-count // ranges))):
        merged = merge(share)
        share.clear()
        _, _, numbers = unite(people, merged.people)
        for number in range(ranges):
            parts = {name: _range(table, number, cuts[name], numbers) for name, table in merged.tables.items()}
            spill.put(number, Partial(whole.day, people.slice(0, 0), parts))
        del merged
    counted = People.of(people)
    kept: dict[str, list[pa.Table]] = {table.name: [] for table in tables}
    above: dict[str, pa.Table] = {}
    for number in range(ranges):
        found = _merged(spill.take(number), same)
        for table in tables:
            groups, rolled = _condensed(found.pop(table.name), table, counted)
            kept[table.name].append(groups)
            known = above.get(table.name)
            above[table.name] = rolled if known is None else union(known, rolled, same, same)
    united = {name: union(pa.concat_tables(groups), above[name], same, same) for name, groups in kept.items()}
    return replace(whole, tables=united)


def _survey(
    partials: Iterable[Partial], tables: Sequence[TablePlan], ranges: int
) -> tuple[int, Partial, dict[str, Cuts]]:
    """Return how many partials there are, all their people, and where each table is cut."""
    count, whole = 0, None
    samples: dict[str, Cuts] = {table.name: [] for table in tables}
    for partial in partials:
        people = unite(whole.people, partial.people)[0] if whole else partial.people
        count, whole = count + 1, Partial(partial.day, people, {})
        for table in tables:
            samples[table.name] += _sample(partial.tables[table.name].select(table.by))
    if whole is None:
        raise ValueError("nothing to merge")
    cuts = {name: sorted(keys) for name, keys in samples.items()}
    return count, whole, {name: _quantiles(keys, ranges) if keys else [] for name, keys in cuts.items()}


def _sample(keys: pa.Table) -> Cuts:
    places = np.linspace(0, keys.num_rows - 1, min(_SAMPLES, keys.num_rows)).astype(np.int64)
    return list(zip(*(column.to_pylist() for column in keys.take(pa.array(places)).columns), strict=True))


def _quantiles(keys: Cuts, ranges: int) -> Cuts:
    return [keys[len(keys) * number // ranges] for number in range(1, ranges)]


def _merged(parts: Iterable[Partial], same: Counts) -> dict[str, pa.Table]:
    """Return one range of each table, merged: equals with equals, as a counter of bits carries."""
    stack: list[tuple[int, dict[str, pa.Table]]] = []
    for part in parts:
        tables, rank = dict(part.tables), 0
        while stack and stack[-1][0] == rank:
            tables, rank = _united(stack.pop()[1], tables, same), rank + 1
        stack.append((rank, tables))
    return functools.reduce(functools.partial(_united, same=same), [tables for _, tables in stack])


def _united(a: dict[str, pa.Table], b: dict[str, pa.Table], same: Counts) -> dict[str, pa.Table]:
    return {name: union(a[name], b[name], same, same) for name in a}


def _range(groups: pa.Table, number: int, cuts: Cuts, numbers: Counts) -> pa.Table:
    """Return one range of a partial's table, in buffers of its own, its people by their ``numbers``."""
    start = _place(groups, cuts[number - 1]) if number and cuts else 0
    stop = _place(groups, cuts[number]) if number < len(cuts) else groups.num_rows
    part = groups.slice(start, stop - start).take(pa.array(np.arange(stop - start)))
    found = lists(part)
    renamed = people_of(found._replace(members=gather(numbers, found.members)))
    return part.set_column(part.num_columns - 1, "people", renamed)


def _place(groups: pa.Table, key: tuple[Any, ...]) -> int:
    """Return the first group whose key is no smaller: groups are sorted by their keys."""
    columns = groups.columns[: len(key)]
    return bisect_left(range(groups.num_rows), key, key=lambda row: tuple(column[row].as_py() for column in columns))


def _condensed(groups: pa.Table, table: TablePlan, people: People) -> tuple[pa.Table, pa.Table]:
    """Return the groups that may become rows, and what is above those that cannot."""
    depth, name = len(table.by), table.by[-1]
    if (by_agent(table) and name == "agent") or of_files(table.where, table.by):
        return groups, groups.slice(0, 0)  # what rolls up here must be known one by one until the end
    rollup = Rollup(groups, table, people)
    unfit = rollup.cells(depth).unfit
    rollup.depth[unfit] = depth - 1
    cells = rollup.cells(depth - 1)
    above = groups.take(pa.array(cells.first))
    for column, values in (
        (name, others(name, len(cells.first))),
        ("requests", pa.array(cells.requests)),
        ("bytes", pa.array(cells.bytes)),
        ("people", people_of(cells.lists)),
    ):
        above = above.set_column(above.schema.get_field_index(column), groups.schema.field(column), values)
    return groups.filter(pa.array(~unfit)), above

"""Releasing a day that is larger than memory: its partials cut by clients, and by keys, into pieces that wait on disk.

What publishing asks of a row (how many clients and visitors, how much the largest client makes of it) can be asked of
some clients at a time and added up, or compared. So the day is cut into shares of its clients, and each table into
ranges of its keys; a piece is what one has in the other, encrypted as partials are. Only one is in memory at a time.

Groups too small for a row are many, and all that is needed of them is that they go into the row above. So within a
range all groups that roll up become one group for each row above them, its last keys ``(other)`` already.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.kernels import Lists, collect, total, transpose
from logblur.aggregate.nested import by_agent, seen_in
from logblur.aggregate.partials import lists, merge, numbered, people_of
from logblur.aggregate.thresholds import Flags, Part, People, Released, Rollup, others, release_tables
from logblur.jit import Codes
from logblur.policy.plan import TablePlan, of_files
from logblur.schema import Partial

Cuts = list[tuple[Any, ...]]
"""Keys, or clients, ascending: one fewer than there are ranges; none where there is nothing to cut."""

GROUPS_AT_ONCE: Final = 1 << 19
"""Groups of one table whose keys are in memory at once: about 100 MB with all that is made of them."""

_SAMPLES = 256
"""Keys and clients of each partial that say where to cut."""


class Spill(Protocol):
    """Where pieces wait, by name."""

    def put(self, name: Hashable, partial: Partial) -> None:
        """Keep one more piece of this name."""
        ...

    def read(self, name: Hashable) -> Iterable[Partial]:
        """Give the pieces of a name, in the order they came; none where none did."""
        ...

    def take(self, name: Hashable) -> Iterable[Partial]:
        """Give them, and keep them no longer."""
        ...


def release_in_shares(
    read: Callable[[], Iterable[Partial]],
    tables: Sequence[TablePlan],
    shares: int,
    spill: Spill,
    *,
    groups_at_once: int = GROUPS_AT_ONCE,
) -> dict[str, Released]:
    """Make of partials of one day what `merge` and then `release` make of them.

    Args:
        read: Gives the partials, at least one, all of one day; called twice.
        tables: The Plan's.
        shares: Into how many the clients are cut; so many of the partials are merged at first, too. No visitor belongs
            to clients of two shares.
        spill: Where pieces wait.
        groups_at_once: About how many groups a range of a table has at most.

    Cost:
        Memory: a share of the partials as they are merged; one table's pairs of one share, or of its most active
        client; the keys of one range; a dozen bytes for each person, and four for each group and share of one table.
        Beside that, what is published. Everything is written twice, and read once more for each level of a table.
    """
    clients, cuts, count = _survey(read(), tables, shares, groups_at_once)
    ranges = max(map(len, cuts.values())) + 1
    partials = iter(read())
    while some := list(itertools.islice(partials, -(-count // shares))):
        _cut(merge(some), clients, cuts, (shares, ranges), spill)
        some.clear()
    people: dict[int, People] = {}
    seen = np.zeros(1 << 16, np.int64)
    for share, number in itertools.product(range(shares), range(ranges)):
        pieces = list(spill.take(_Piece(share, number)))
        if not pieces:
            continue  # no client is in this share
        merged = merge(pieces)
        for name, groups in merged.tables.items():
            spill.put(_Piece(share, number, name), Partial(merged.day, merged.people.slice(0, 0), {name: groups}))
        if share not in people:  # they are the same in each range
            people[share] = People.of(merged.people)
            seen += seen_in(people[share].client, merged.people.column("parts").to_numpy())
    pa.default_memory_pool().release_unused()
    return release_tables((_rollup(table, people, ranges, spill) for table in tables), seen)


def _survey(
    partials: Iterable[Partial], tables: Sequence[TablePlan], shares: int, groups_at_once: int
) -> tuple[Cuts, dict[str, Cuts], int]:
    """Return where the clients and each table are cut, and how many partials there are."""
    count, clients = 0, []
    samples: dict[str, Cuts] = {table.name: [] for table in tables}
    groups = dict.fromkeys(samples, 0)
    for count, partial in enumerate(partials, 1):  # noqa: B007 - how many there were
        clients += _sample(partial.people.select(["client"]))
        for table in tables:
            samples[table.name] += _sample(partial.tables[table.name].select(table.by))
            groups[table.name] += partial.tables[table.name].num_rows
    if not count:
        raise ValueError("nothing to merge")
    cuts = {name: _quantiles(keys, groups[name] // groups_at_once + 1) for name, keys in samples.items()}
    return _quantiles(clients, shares), cuts, count


def _sample(keys: pa.Table) -> Cuts:
    places = np.linspace(0, keys.num_rows - 1, min(_SAMPLES, keys.num_rows)).astype(np.int64)
    return list(zip(*(column.to_pylist() for column in keys.take(pa.array(places)).columns), strict=True))


def _quantiles(keys: Cuts, count: int) -> Cuts:
    keys = sorted(keys, key=_order)
    return [keys[len(keys) * number // count] for number in range(1, count)] if keys else []


def _order(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what sorts as keys do in a partial: an hour that is rolled up comes last."""
    return tuple((value is None, value) for value in key)


def _cut(merged: Partial, clients: Cuts, cuts: dict[str, Cuts], counts: tuple[int, int], spill: Spill) -> None:
    """Put each piece of a partial where it waits."""
    client = merged.people.column("client").to_numpy()
    bounds = np.searchsorted(client, np.array([key[0] for key in clients], np.uint64))
    shares, ranges = counts
    edges = [0, *bounds.tolist(), *[len(client)] * (shares - len(bounds))]
    tables = {name: _ranges(groups, cuts[name], ranges) for name, groups in merged.tables.items()}
    for share, (start, stop) in enumerate(itertools.pairwise(edges)):
        if start == stop:
            continue
        people = merged.people.take(pa.array(np.arange(start, stop)))
        for number in range(ranges):
            parts = {name: _of_people(found[number], start, stop) for name, found in tables.items()}
            spill.put(_Piece(share, number), Partial(merged.day, people, parts))


def _ranges(groups: pa.Table, cuts: Cuts, count: int) -> list[pa.Table]:
    """Return a partial's table, cut by its keys."""
    places = [_place(groups, key) for key in cuts]
    edges = [0, *places, *[groups.num_rows] * (count - len(places))]
    return [groups.slice(start, stop - start) for start, stop in itertools.pairwise(edges)]


def _place(groups: pa.Table, key: tuple[Any, ...]) -> int:
    """Return the first group whose key is no smaller: groups are sorted by their keys."""
    columns = groups.columns[: len(key)]
    rows = range(groups.num_rows)
    return bisect_left(rows, _order(key), key=lambda row: _order(tuple(column[row].as_py() for column in columns)))


def _of_people(groups: pa.Table, start: int, stop: int) -> pa.Table:
    """Return the groups that some of the people are in, with these alone, in buffers of their own."""
    found = lists(groups)
    inside = (found.members >= start) & (found.members < stop)
    offsets = np.append(0, np.cumsum(inside))[found.offsets]
    kept = np.flatnonzero(np.diff(offsets))
    members, requests, sizes = found.members[inside] - np.uint32(start), found.requests[inside], found.bytes[inside]
    part = Lists(np.append(offsets[kept], len(members)), members, requests, sizes)
    keys = groups.drop_columns(["requests", "bytes", "people"]).take(pa.array(kept))
    for name, values in (
        ("requests", pa.array(total(part.offsets, requests))),
        ("bytes", pa.array(total(part.offsets, sizes))),
        ("people", people_of(part)),
    ):
        keys = keys.append_column(name, values)
    return keys


class _Piece(NamedTuple):
    """What some clients have in a range of keys: of all tables, or, once it is merged, of each."""

    share: int
    range: int
    table: str = ""


@dataclass(frozen=True, slots=True)
class _Pieces:
    """The parts of a table's groups, one a share, read anew each time they are gone through.

    Attributes:
        spill: Where the pieces wait.
        people: By share.
        targets: By piece, the number of each of its groups.
        count: How many groups there are.
    """

    spill: Spill
    people: Mapping[int, People]
    targets: Mapping[_Piece, Codes]
    count: int

    def __iter__(self) -> Iterator[Part]:
        for share, people in self.people.items():
            pieces = [piece for piece in self.targets if piece.share == share]
            found = _joined([lists(_groups(self.spill, piece)) for piece in pieces])
            targets = np.concatenate([self.targets[piece] for piece in pieces])
            yield Part(people, collect(*transpose(found, targets, len(people.client)), self.count)[0])


def _rollup(table: TablePlan, people: Mapping[int, People], count: int, spill: Spill) -> Rollup:
    """Return a table's groups, the small ones rolled up, and its parts on disk."""
    targets: dict[_Piece, Codes] = {}
    made: list[pa.Table] = []
    for number in range(count):
        pa.default_memory_pool().release_unused()  # else what range after range needed stays with the process
        pieces = [_Piece(share, number, table.name) for share in people]
        groups, ids = numbered([_groups(spill, piece).drop_columns(["people"]) for piece in pieces])
        own = dict(zip(pieces, ids, strict=True))
        groups, into = _condensed(groups, table, _Pieces(spill, people, own, groups.num_rows))
        made.append(groups)
        targets |= {piece: into[numbers] for piece, numbers in own.items()}
    groups, ids = numbered(made)
    targets = {piece: ids[piece.range][numbers] for piece, numbers in targets.items()}
    return Rollup(groups, table, _Pieces(spill, people, targets, groups.num_rows))


def _condensed(groups: pa.Table, table: TablePlan, parts: _Pieces) -> tuple[pa.Table, Codes]:
    """Return one range of a table with what rolls up in it rolled up, and by group which of those it went into.

    A row that reaches over an edge of the range is not known as a whole: it stays as it is.
    """
    lowest = table.by.index("agent") + 1 if by_agent(table) else 0
    if of_files(table.where, table.by) or lowest == len(table.by) or not groups.num_rows:
        return groups, np.arange(groups.num_rows, dtype=np.int32)  # must be known one by one until the end
    rollup = Rollup(groups, table, parts)
    for depth in range(len(table.by), lowest, -1):
        cells = rollup.cells(depth)
        small = cells.unfit & ~rollup.at_edge(cells) if depth < len(table.by) else cells.unfit
        rollup.depth[rollup.groups_of(cells.first[small])] = depth - 1
        if not small.any():
            break
    rollup.name_rows(lowest)
    first, into = np.unique(rollup.first, return_inverse=True)
    rows = pa.array(first)
    keys = {
        name: _rolled_up(groups.column(name).take(rows), name, rollup.depth[first] <= place)
        for place, name in enumerate(table.by)
    }
    sums = {}
    for name in ("requests", "bytes"):
        sums[name] = np.zeros(len(first), np.int64)
        np.add.at(sums[name], into, groups.column(name).to_numpy())
    return pa.table(keys | sums), into.astype(np.int32)


def _rolled_up(column: pa.ChunkedArray, name: str, where: Flags) -> pa.ChunkedArray:
    """Return a key column with `others` in some rows."""
    return pc.if_else(pa.array(where), others(name, 1)[0], column)


def _groups(spill: Spill, piece: _Piece) -> pa.Table:
    """Return a piece of one table."""
    (found,) = spill.read(piece)
    return found.tables[piece.table]


def _joined(found: Sequence[Lists]) -> Lists:
    """Return lists, one after the other, as one."""
    ends = np.cumsum([0, *(each.offsets[-1] for each in found)])
    offsets = [each.offsets[:-1] + end for each, end in zip(found, ends, strict=False)]
    _, members, requests, sizes = map(np.concatenate, zip(*found, strict=True))
    return Lists(np.append(np.concatenate(offsets), ends[-1]), members, requests, sizes)

"""Downloads: which of the requests for a file brought all of it, and how many downloads they come to.

A status says little: 200 is also a transfer that broke off, and 206 one of the hundred pieces in which a viewer reads a
document. What a file's largest answer of the day weighs tells more, so this is judged when the day is published.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.kernels import MOST, Lists
from logblur.aggregate.partials import lists
from logblur.jit import Ints
from logblur.policy.plan import TablePlan
from logblur.schema import PERSON

Flags = npt.NDArray[np.bool_]

_HEADERS: Final = 1024
"""Bytes by which two answers with the same file can differ: some formats count headers."""

_FILE: Final = ("site", "path")


def judged(groups: pa.Table, table: TablePlan) -> tuple[pa.Table, Ints]:
    """Return the groups of a table of files with ``complete`` judged by size, and how many downloads each holds.

    A person's answers with status 200 that are, on average, smaller than the largest such answer of the file and day
    are parts; pieces of it that together are as large are the whole. Where no size is logged the status decides.

    Args:
        groups: A table of a merged partial, for which `plan.of_files` holds.
        table: What it is grouped by.

    Returns:
        Groups as `schema.Partial` has them, with the same people, requests and bytes in all; and by group and person,
        in the order of the lists, the downloads: each answer with the whole file is one, all pieces of one person and
        file together are one.

    Cost:
        A sort of the (group, person) pairs of this table; without pieces and breaks none.
    """
    found = lists(groups)
    group = np.repeat(np.arange(groups.num_rows), np.diff(found.offsets))
    whole = pc.equal(groups.column("complete"), "yes").to_numpy()
    files = _numbers(groups, [name for name in table.by if name in _FILE])[group]
    was_whole, requests = whole[group], found.requests.astype(np.int64)
    downloads = np.where(was_whole, requests, 1)
    size = np.where(was_whole, found.bytes // np.maximum(requests, 1), found.bytes)
    largest = np.zeros(int(files.max(initial=-1)) + 1, np.int64)
    np.maximum.at(largest, files[was_whole], size[was_whole])
    # the slack for headers must not make a piece of a small file the whole of it
    enough = (size + _HEADERS >= largest[files]) & (10 * size >= 9 * largest[files])
    is_whole = np.where(largest[files] > 0, enough, was_whole)
    if np.array_equal(is_whole, was_whole):
        return groups, downloads
    return _regrouped(groups, table, group, is_whole, found, downloads)


def _numbers(groups: pa.Table, names: list[str]) -> Ints:
    """Return a number for each group that is the same where these keys are."""
    numbers = np.zeros(groups.num_rows, np.int64)
    for name in names:
        codes = pc.rank(groups.column(name), tiebreaker="dense").to_numpy().astype(np.int64)
        numbers = np.unique(numbers * (groups.num_rows + 1) + codes, return_inverse=True)[1]
    return numbers


def _regrouped(
    groups: pa.Table, table: TablePlan, group: Ints, is_whole: Flags, found: Lists, downloads: Ints
) -> tuple[pa.Table, Ints]:
    """Return the groups after each person's part of one has gone to where it belongs."""
    others = _numbers(groups, [name for name in table.by if name != "complete"])
    pairs, example, target = np.unique(others[group] * 2 + is_whole, return_index=True, return_inverse=True)
    taken = groups.select(list(table.by)).take(pa.array(group[example]))
    said = pa.array(np.where(pairs % 2 == 1, "yes", "part").tolist(), pa.string())
    keys = taken.set_column(table.by.index("complete"), "complete", said)
    order = pc.sort_indices(keys, [(name, "ascending") for name in table.by]).to_numpy()
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    by_person = np.lexsort((found.members, places[target]))
    targets, members = places[target][by_person], found.members[by_person]
    begins = np.flatnonzero(np.append(True, (targets[1:] != targets[:-1]) | (members[1:] != members[:-1])))
    requests, sizes, taken_by = (
        np.add.reduceat(of[by_person].astype(np.int64), begins) for of in (found.requests, found.bytes, downloads)
    )
    offsets = np.searchsorted(targets[begins], np.arange(len(order) + 1))
    people = pa.StructArray.from_arrays(
        [pa.array(members[begins]), pa.array(np.minimum(requests, MOST).astype(np.uint32)), pa.array(sizes)],
        fields=list(PERSON),
    )
    made = keys.take(pa.array(order))
    sums = {"requests": np.add.reduceat(requests, offsets[:-1]), "bytes": np.add.reduceat(sizes, offsets[:-1])}
    for name, values in sums.items():
        made = made.append_column(name, pa.array(values))
    return made.append_column("people", pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), people)), taken_by

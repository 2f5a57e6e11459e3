"""Downloads: which of the requests for a file brought all of it, and how many downloads they come to.

A status says little: 200 is also a transfer that broke off, and 206 one of the hundred pieces in which a viewer reads a
document. What a file's largest answer of the day weighs tells more, so this is judged when the day is published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from logblur.aggregate.kernels import MOST, Lists
from logblur.jit import Ints
from logblur.policy.plan import TablePlan

if TYPE_CHECKING:
    from logblur.aggregate.thresholds import Part

Flags = npt.NDArray[np.bool_]

_HEADERS: Final = 1024
"""Bytes by which two answers with the same file can differ: some formats count headers."""

_FILE: Final = ("site", "path")


def judged(groups: pa.Table, table: TablePlan, parts: Iterable[Part]) -> tuple[pa.Table, Iterable[Part]]:
    """Return the groups of a table of files with ``complete`` judged by size, and how many downloads each holds.

    A person's answers with status 200 that are, on average, smaller than the largest such answer of the file and day
    are parts; pieces of it that together are as large are the whole. Where no size is logged the status decides.

    Args:
        groups: A table of a merged partial, for which `plan.of_files` holds.
        table: What it is grouped by.
        parts: Who is in them.

    Returns:
        Groups and parts with the same people, requests and bytes in all, and with downloads: each answer with the whole
        file is one, all pieces of one person and file together are one.

    Cost:
        A sort of the (group, person) pairs of this table each time the parts are gone through, but for a tuple, which
        is judged once; without pieces and breaks none.
    """
    judge = _Judge(groups, table, parts)
    found = _Judged(judge, parts)
    return judge.groups, tuple(found) if isinstance(parts, tuple) else found


class _Judged:
    """Parts, judged as they are gone through."""

    def __init__(self, judge: _Judge, parts: Iterable[Part]) -> None:
        self._judge, self._parts = judge, parts

    def __iter__(self) -> Iterator[Part]:
        for part in self._parts:
            found, downloads = self._judge(part.lists)
            yield part._replace(lists=found, downloads=downloads)


class _Judge:
    """What the largest answer of each file, over all parts, makes of its groups.

    Attributes:
        groups: The groups after each person's part of one has gone to where it belongs.
    """

    def __init__(self, groups: pa.Table, table: TablePlan, parts: Iterable[Part]) -> None:
        self._was_whole: Flags = pc.equal(groups.column("complete"), "yes").to_numpy()
        self._files = _numbers(groups, [name for name in table.by if name in _FILE])
        self._others = _numbers(groups, [name for name in table.by if name != "complete"])
        self._largest = np.zeros(int(self._files.max(initial=-1)) + 1, np.int64)
        self._places: Ints | None = None  # of each target, among the groups after; None where nothing changes
        self.groups = groups.select([*table.by, "requests", "bytes"])
        for part in parts:
            group, was_whole, _, size = self._sizes(part.lists)
            np.maximum.at(self._largest, self._files[group][was_whole], size[was_whole])
        requests, sizes = np.zeros((2, 2 * (int(self._others.max(initial=-1)) + 1)), np.int64)
        changes = False
        for part in parts:
            target, was_whole, is_whole, _ = self._targets(part.lists)
            changes |= not np.array_equal(is_whole, was_whole)
            np.add.at(requests, target, part.lists.requests)
            np.add.at(sizes, target, part.lists.bytes)
        if changes:
            self._regroup(groups, table, requests, sizes)

    def __call__(self, found: Lists) -> tuple[Lists, Ints]:
        """Return who is in the groups after, and the downloads of each."""
        target, _, _, downloads = self._targets(found)
        if self._places is None:
            return found, downloads
        places = self._places[target]
        by_person = np.lexsort((found.members, places))
        targets, members = places[by_person], found.members[by_person]
        begins = np.flatnonzero(np.append(True, (targets[1:] != targets[:-1]) | (members[1:] != members[:-1])))
        begins = begins[: len(targets)]
        requests, sizes, taken = (
            np.add.reduceat(of[by_person].astype(np.int64), begins) if len(begins) else np.zeros(0, np.int64)
            for of in (found.requests, found.bytes, downloads)
        )
        offsets = np.searchsorted(targets[begins], np.arange(self.groups.num_rows + 1))
        return Lists(offsets, members[begins], np.minimum(requests, MOST).astype(np.uint32), sizes), taken

    def _sizes(self, found: Lists) -> tuple[Ints, Flags, Ints, Ints]:
        """Return by group and person: the group, whether its status is whole, the downloads, the size of one."""
        group = np.repeat(np.arange(len(found.offsets) - 1), np.diff(found.offsets))
        was_whole, requests = self._was_whole[group], found.requests.astype(np.int64)
        downloads = np.where(was_whole, requests, 1)
        return group, was_whole, downloads, np.where(was_whole, found.bytes // np.maximum(requests, 1), found.bytes)

    def _targets(self, found: Lists) -> tuple[Ints, Flags, Flags, Ints]:
        """Return by group and person: where it belongs, whether it was and is whole, the downloads."""
        group, was_whole, downloads, size = self._sizes(found)
        largest = self._largest[self._files[group]]
        # the slack for headers must not make a piece of a small file the whole of it
        enough = (size + _HEADERS >= largest) & (10 * size >= 9 * largest)
        is_whole = np.where(largest > 0, enough, was_whole)
        return self._others[group] * 2 + is_whole, was_whole, is_whole, downloads

    def _regroup(self, groups: pa.Table, table: TablePlan, requests: Ints, sizes: Ints) -> None:
        targets = np.flatnonzero(requests)
        _, example = np.unique(self._others, return_index=True)
        taken = groups.select(list(table.by)).take(pa.array(example[targets // 2]))
        said = pa.array(np.where(targets % 2 == 1, "yes", "part").tolist(), pa.string())
        keys = taken.set_column(table.by.index("complete"), "complete", said)
        order = pc.sort_indices(keys, [(name, "ascending") for name in table.by]).to_numpy()
        self._places = np.full(len(requests), -1, np.int64)
        self._places[targets[order]] = np.arange(len(order))
        self.groups = keys.take(pa.array(order)).append_column("requests", pa.array(requests[targets[order]]))
        self.groups = self.groups.append_column("bytes", pa.array(sizes[targets[order]]))


def _numbers(groups: pa.Table, names: list[str]) -> Ints:
    """Return a number for each group that is the same where these keys are."""
    numbers = np.zeros(groups.num_rows, np.int64)
    for name in names:
        codes = pc.rank(groups.column(name), tiebreaker="dense").to_numpy().astype(np.int64)
        numbers = np.unique(numbers * (groups.num_rows + 1) + codes, return_inverse=True)[1]
    return numbers

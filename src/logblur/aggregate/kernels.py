"""The kernels of aggregation: dense ids, group keys, sums and distinct counts.

The idea that carries them: distinct (group, person) pairs need neither a hash set nor a sort of pairs. Rows are put in
the order of their person once (a counting sort, shared by all tables); then one array, the last person seen by each
group, says whether a pair is new. Going through the people in ascending order also leaves each group's list sorted,
and sorted lists are merged side by side.

Everything is linear in its input, whatever the values are. A person, a visitor and a client are dense ids from 0, a
group is an int32. "CSR" is a pair of arrays: the members of group g, distinct and ascending, are
``members[offsets[g]:offsets[g + 1]]``. Loops that append do so without a branch: they write always and step where the
element is wanted, since which rows are wanted cannot be predicted (up to 3 times faster).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from logblur.jit import Codes, Ints, Words, kernel
from logblur.jit.intrinsics import fold_multiply, prefetch

U = np.uint64
Array = npt.NDArray[Any]
Members = npt.NDArray[np.uint32]
_DIGIT = 11  # bits a pass of the radix sort: 2048 counters stay in the first cache
_AHEAD = 128  # rows whose slots are asked for together; hides the latency of tables larger than the caches


@kernel
def intern(a: Words, b: Words, seeds: Words) -> tuple[Codes, Words, Words]:
    """Return a dense code for each pair of words, in order of first appearance, and the distinct pairs.

    Linear probing in a table at most half full. The hash is seeded, so that nobody can choose words that collide;
    slots hold only codes, and both words are compared.
    """
    room, count = 4 * _AHEAD, np.int64(0)
    codes, places = np.empty(len(a), np.int32), np.empty(_AHEAD, np.uint64)
    xs, ys, slots = np.empty(room, np.uint64), np.empty(room, np.uint64), np.zeros(2 * room, np.int32)
    for begin in range(0, len(a), _AHEAD):
        end = min(begin + _AHEAD, len(a))
        if count + _AHEAD > room:
            room *= 2
            more_xs, more_ys, slots = np.empty(room, np.uint64), np.empty(room, np.uint64), np.zeros(2 * room, np.int32)
            for old in range(count):  # assigning slices takes Numba seconds to compile
                more_xs[old], more_ys[old] = xs[old], ys[old]
            xs, ys = more_xs, more_ys
            for old in range(count):
                at = fold_multiply(xs[old] ^ seeds[0], ys[old] ^ seeds[1]) & U(len(slots) - 1)
                while slots[np.int64(at)]:
                    at = (at + U(1)) & U(len(slots) - 1)
                slots[np.int64(at)] = old + 1
        mask = U(len(slots) - 1)
        for row in range(begin, end):
            places[row - begin] = fold_multiply(a[row] ^ seeds[0], b[row] ^ seeds[1]) & mask
            prefetch(slots, np.int64(places[row - begin]))
        for row in range(begin, end):
            likely = max(np.int64(slots[np.int64(places[row - begin])]) - 1, 0)
            prefetch(xs, likely)
            prefetch(ys, likely)
        for row in range(begin, end):
            x, y, at = a[row], b[row], places[row - begin]
            while True:
                code = np.int64(slots[np.int64(at)]) - 1
                if code < 0:
                    code = count
                    xs[code], ys[code], slots[np.int64(at)] = x, y, code + 1
                    count += 1
                    break
                if xs[code] == x and ys[code] == y:
                    break
                at = (at + U(1)) & mask
            codes[row] = code
    return codes, xs[:count], ys[:count]


@kernel
def order_of(major: Words, minor: Words) -> Codes:
    """Return the order that sorts pairs of words by ``major``, then ``minor``: a radix sort, linear for any values."""
    order, spare = np.empty(len(major), np.int32), np.empty(len(major), np.int32)
    for row in range(len(major)):
        order[row] = row
    for words in (minor, major):
        for shift in range(0, 64, _DIGIT):
            starts = np.zeros((1 << _DIGIT) + 1, np.int64)
            for row in range(len(words)):
                starts[np.int64(words[row] >> U(shift) & U((1 << _DIGIT) - 1)) + 1] += 1
            for at in range(1 << _DIGIT):
                starts[at + 1] += starts[at]
            for place in range(len(words)):
                digit = words[order[place]] >> U(shift) & U((1 << _DIGIT) - 1)
                spare[starts[digit]] = order[place]
                starts[digit] += 1
            order, spare = spare, order
    return order


@kernel
def gather(values: Array, at: Array) -> Array:
    """Return ``values[at]``; unlike NumPy's it lets go of the GIL and widens no index."""
    out = np.empty(len(at), values.dtype)
    for row in range(len(at)):
        out[row] = values[at[row]]
    return out


@kernel
def select(parts: npt.NDArray[np.int8], wanted: npt.NDArray[np.bool_]) -> Codes:
    """Return the rows whose part of the universe is wanted, ascending."""
    rows, count = np.empty(len(parts) + 1, np.int32), 0
    for row in range(len(parts)):
        rows[count] = row
        count += wanted[parts[row]]
    return rows[:count].copy()


@kernel
def arrange(ids: Codes, rows: Codes, count: int) -> tuple[Codes, Codes]:
    """Return the places of ``rows`` in the order of their person, and the person of each: a counting sort."""
    starts = np.zeros(count + 1, np.int64)
    order, people = np.empty(len(rows), np.int32), np.empty(len(rows), np.int32)
    for row in rows:
        starts[ids[row] + 1] += 1
    for person in range(count):
        starts[person + 1] += starts[person]
    for place in range(len(rows)):
        person = ids[rows[place]]
        order[starts[person]], people[starts[person]] = place, person
        starts[person] += 1
    return order, people


@kernel
def extend(keys: Codes, codes: Codes, rows: Codes, ranks: Codes, size: int) -> None:
    """Make each key one digit longer, in place: the rank of the value in its row, of ``size`` many."""
    for place in range(len(keys)):
        keys[place] = keys[place] * size + ranks[codes[rows[place]]]


@kernel
def total(keys: Codes, rows: Codes, sizes: Ints, groups: int) -> tuple[Ints, Ints, Codes]:
    """Return the rows of each group, the sum of their sizes, and one row that is in it."""
    requests, sums, example = np.zeros(groups, np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int32)
    for place in range(len(keys)):
        key = keys[place]
        requests[key] += 1
        sums[key] += sizes[rows[place]]
        example[key] = rows[place]
    return requests, sums, example


@kernel
def collect(keys: Codes, people: Codes, groups: int) -> tuple[Ints, Members]:
    """Return the distinct people of each group as CSR, from (group, person) pairs whose people ascend."""
    offsets, last = np.zeros(groups + 2, np.int64), np.full(groups, -1, np.int32)
    kept_keys, kept_people, count = np.empty(len(keys), np.int32), np.empty(len(keys), np.uint32), 0
    for place in range(len(keys)):
        key, person = keys[place], people[place]
        new = last[key] != person
        last[key] = person
        kept_keys[count], kept_people[count] = key, person
        count += new
        offsets[key + 2] += new
    # counted two places ahead, filled one place ahead: what is left is where each group starts
    for key in range(groups):
        offsets[key + 2] += offsets[key + 1]
    members = np.empty(count, np.uint32)
    for place in range(count):
        key = kept_keys[place]
        members[offsets[key + 1]] = kept_people[place]
        offsets[key + 1] += 1
    return offsets[: groups + 1], members


@kernel
def transpose(offsets: Ints, members: Members, targets: Codes, count: int) -> tuple[Codes, Codes]:
    """Return the pairs of CSR lists as `collect` takes them: (group, person), by person of ``count`` many.

    ``targets`` renames the groups; the same target may come twice for a person, and -1 leaves a group out.
    """
    starts = np.zeros(count + 2, np.int64)
    for group in range(len(targets)):
        if targets[group] >= 0:
            for at in range(offsets[group], offsets[group + 1]):
                starts[np.int64(members[at]) + 2] += 1
    for person in range(count):
        starts[person + 2] += starts[person + 1]
    keys, people = np.empty(starts[count + 1], np.int32), np.empty(starts[count + 1], np.int32)
    for group in range(len(targets)):
        if targets[group] >= 0:
            for at in range(offsets[group], offsets[group + 1]):
                member = np.int64(members[at])
                place = starts[member + 1]
                keys[place], people[place] = targets[group], member
                starts[member + 1] += 1
    return keys, people


@kernel
def merge_people(a: tuple[Words, Words], b: tuple[Words, Words]) -> tuple[Words, Words, Members, Members]:
    """Return the union of two sorted lists of distinct pairs of words, and where each pair of a and of b is in it."""
    (ax, ay), (bx, by) = a, b
    xs, ys = np.empty(len(ax) + len(bx), np.uint64), np.empty(len(ax) + len(bx), np.uint64)
    map_a, map_b = np.empty(len(ax), np.uint32), np.empty(len(bx), np.uint32)
    i, j, count = np.int64(0), np.int64(0), np.int64(0)
    while i < len(ax) or j < len(bx):
        from_a = j == len(bx) or (i < len(ax) and (ax[i] < bx[j] or (ax[i] == bx[j] and ay[i] <= by[j])))
        from_b = i == len(ax) or (j < len(bx) and (bx[j] < ax[i] or (bx[j] == ax[i] and by[j] <= ay[i])))
        if from_a:
            xs[count], ys[count], map_a[i] = ax[i], ay[i], count
        if from_b:
            xs[count], ys[count], map_b[j] = bx[j], by[j], count
        i, j, count = i + from_a, j + from_b, count + 1
    return xs[:count].copy(), ys[:count].copy(), map_a, map_b


@kernel
def merge_lists(
    offsets_a: Ints, members_a: Members, from_a: Codes, offsets_b: Ints, members_b: Members, from_b: Codes
) -> tuple[Ints, Members]:
    """Return CSR lists, each the union of list ``from_a[group]`` of a and ``from_b[group]`` of b; -1 is no list."""
    offsets, members = np.zeros(len(from_a) + 1, np.int64), np.empty(len(members_a) + len(members_b), np.uint32)
    count = np.int64(0)
    for group in range(len(from_a)):
        i, end_i, j, end_j = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        if from_a[group] >= 0:
            i, end_i = offsets_a[from_a[group]], offsets_a[from_a[group] + 1]
        if from_b[group] >= 0:
            j, end_j = offsets_b[from_b[group]], offsets_b[from_b[group] + 1]
        while i < end_i and j < end_j:
            x, y = members_a[i], members_b[j]
            members[count] = min(x, y)
            i, j, count = i + (x <= y), j + (y <= x), count + 1
        for at in range(i, end_i):
            members[count] = members_a[at]
            count += 1
        for at in range(j, end_j):
            members[count] = members_b[at]
            count += 1
        offsets[group + 1] = count
    return offsets, members[:count].copy()


@kernel
def count_distinct(offsets: Ints, members: Members, ids: Codes, count: int) -> Ints:
    """Return how many different ``ids`` (of ``count`` many) the members of each group have."""
    counts, last = np.zeros(len(offsets) - 1, np.int64), np.full(count, -1, np.int32)
    for group in range(len(offsets) - 1):
        distinct = 0
        for at in range(offsets[group], offsets[group + 1]):
            one = ids[members[at]]
            distinct += last[one] != group
            last[one] = group
        counts[group] = distinct
    return counts

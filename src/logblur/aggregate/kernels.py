"""The kernels of aggregation: dense ids, group keys, sums and distinct counts.

The idea that carries them: distinct (group, person) pairs need neither a hash set nor a sort of pairs. Rows are put in
the order of their person once (a counting sort, shared by all tables); then one array, the last person seen by each
group, says whether a pair is new. Going through the people in ascending order also leaves each group's list sorted.

Everything is linear in its input, whatever the values are. A group is an int32, -1 where a row belongs to none; a
person, a visitor and a client are dense ids from 0. "CSR" is a pair of arrays: the members of group g are
``members[offsets[g]:offsets[g + 1]]``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from logblur.jit import Codes, Ints, Words, kernel
from logblur.jit.intrinsics import fold_multiply

U = np.uint64
Array = npt.NDArray[Any]
_DIGIT = 11  # bits a pass of the radix sort: 2048 counters stay in the first cache


@kernel
def intern(a: Words, b: Words, seeds: Words) -> tuple[Codes, Words, Words]:
    """Return a dense code for each pair of words, in order of first appearance, and the distinct pairs.

    Linear probing in a table at most half full. The hash is seeded, so that nobody can choose words that collide;
    slots hold only codes, and both words are compared.
    """
    room, count = 1 << 9, 0
    codes = np.empty(len(a), np.int32)
    xs, ys, slots = np.empty(room, np.uint64), np.empty(room, np.uint64), np.zeros(2 * room, np.int32)
    for row in range(len(a)):
        if count == room:
            room *= 2
            more_xs, more_ys, slots = np.empty(room, np.uint64), np.empty(room, np.uint64), np.zeros(2 * room, np.int32)
            more_xs[:count], more_ys[:count] = xs, ys
            xs, ys = more_xs, more_ys
            for old in range(count):
                at = fold_multiply(xs[old] ^ seeds[0], ys[old] ^ seeds[1]) & U(len(slots) - 1)
                while slots[np.int64(at)]:
                    at = (at + U(1)) & U(len(slots) - 1)
                slots[np.int64(at)] = old + 1
        x, y = a[row], b[row]
        at = fold_multiply(x ^ seeds[0], y ^ seeds[1]) & U(len(slots) - 1)
        while True:
            code = np.int64(slots[np.int64(at)]) - 1
            if code < 0:
                code = count
                xs[code], ys[code], slots[np.int64(at)] = x, y, code + 1
                count += 1
                break
            if xs[code] == x and ys[code] == y:
                break
            at = (at + U(1)) & U(len(slots) - 1)
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
            for digit in range(1 << _DIGIT):
                starts[digit + 1] += starts[digit]
            for row in order:
                digit = np.int64(words[row] >> U(shift) & U((1 << _DIGIT) - 1))
                spare[starts[digit]] = row
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
    """Return 0 for each row whose part of the universe is wanted, else -1."""
    keys = np.empty(len(parts), np.int32)
    for row in range(len(parts)):
        keys[row] = 0 if wanted[parts[row]] else -1
    return keys


@kernel
def extend(keys: Codes, codes: Codes, ranks: Codes, size: int) -> None:
    """Make each key one digit longer, in place: the rank of the row's value, of ``size`` many."""
    for row in range(len(keys)):
        if keys[row] >= 0:
            keys[row] = keys[row] * size + ranks[codes[row]]


@kernel
def total(keys: Codes, sizes: Ints, groups: int) -> tuple[Ints, Ints, Codes]:
    """Return the rows of each group, the sum of their sizes, and one row that is in it."""
    rows, sums, example = np.zeros(groups, np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int32)
    for row in range(len(keys)):
        key = keys[row]
        if key >= 0:
            rows[key] += 1
            sums[key] += sizes[row]
            example[key] = row
    return rows, sums, example


@kernel
def arrange(people: Codes, count: int) -> tuple[Ints, Codes]:
    """Return the rows in the order of their person; those of person p are ``order[starts[p]:starts[p + 1]]``."""
    # counted two places ahead, filled one place ahead: what is left is where each person starts
    starts, order = np.zeros(count + 2, np.int64), np.empty(len(people), np.int32)
    for row in range(len(people)):
        starts[people[row] + 2] += 1
    for person in range(count):
        starts[person + 2] += starts[person + 1]
    for row in range(len(people)):
        person = people[row]
        order[starts[person + 1]] = row
        starts[person + 1] += 1
    return starts[:-1], order


@kernel
def transpose(offsets: Ints, members: Array, targets: Codes, count: int) -> tuple[Ints, Codes]:
    """Return CSR lists of groups as lists of people: those of person p are ``groups[starts[p]:starts[p + 1]]``.

    ``targets`` renames the groups; the same target may come twice for a person, and -1 leaves a group out.
    """
    starts = np.zeros(count + 2, np.int64)
    for group in range(len(targets)):
        if targets[group] >= 0:
            for at in range(offsets[group], offsets[group + 1]):
                starts[np.int64(members[at]) + 2] += 1
    for person in range(count):
        starts[person + 2] += starts[person + 1]
    groups = np.empty(starts[count + 1], np.int32)
    for group in range(len(targets)):
        if targets[group] >= 0:
            for at in range(offsets[group], offsets[group + 1]):
                person = np.int64(members[at])
                groups[starts[person + 1]] = targets[group]
                starts[person + 1] += 1
    return starts[:-1], groups


@kernel
def collect(starts: Ints, groups: Codes, count: int) -> tuple[Ints, npt.NDArray[np.uint32]]:
    """Return the distinct people of each group, ascending, as CSR: the inverse of `transpose`, without repeats."""
    offsets, last = np.zeros(count + 2, np.int64), np.full(count, -1, np.int32)
    for person in range(len(starts) - 1):
        for at in range(starts[person], starts[person + 1]):
            group = groups[at]
            if group >= 0 and last[group] != person:
                last[group] = person
                offsets[group + 2] += 1
    for group in range(count):
        offsets[group + 2] += offsets[group + 1]
    members = np.empty(offsets[count + 1], np.uint32)
    last[:] = -1
    for person in range(len(starts) - 1):
        for at in range(starts[person], starts[person + 1]):
            group = groups[at]
            if group >= 0 and last[group] != person:
                last[group] = person
                members[offsets[group + 1]] = person
                offsets[group + 1] += 1
    return offsets[:-1], members


@kernel
def count_distinct(offsets: Ints, members: Array, ids: Codes, count: int) -> Ints:
    """Return how many different ``ids`` (of ``count`` many) the members of each group have."""
    counts, last = np.zeros(len(offsets) - 1, np.int64), np.full(count, -1, np.int32)
    for group in range(len(offsets) - 1):
        for at in range(offsets[group], offsets[group + 1]):
            if last[ids[members[at]]] != group:
                last[ids[members[at]]] = group
                counts[group] += 1
    return counts

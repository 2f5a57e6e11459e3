"""The kernels of aggregation: dense ids, group keys, sums and distinct counts.

The idea that carries them: distinct (group, person) pairs need neither a hash set nor a sort of pairs. Rows are put in
the order of their person once (a counting sort, shared by all days and tables); then one array, the last person seen by
each group, says whether a pair is new. Going through the people in ascending order also leaves each group's list
sorted, and sorted lists are merged side by side. Where all keys follow from the person, people go through it, not rows.

Everything is linear in its input, whatever the values are. A person, a visitor and a client are dense ids from 0, a
group is an int32. `Lists` says who is in each group and with how much: the members of group g, distinct and
ascending, are ``members[offsets[g]:offsets[g + 1]]``, with their requests and bytes beside them. Since people are
sorted by client, the members of one client lie side by side. Loops that append do so without a branch: they write
always and step where the element is wanted, since which rows are wanted cannot be predicted (up to 3 times faster).
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from logblur.jit import Codes, Ints, Words, kernel

U = np.uint64
Array = npt.NDArray[Any]
Counts = npt.NDArray[np.uint32]
Parts = npt.NDArray[np.uint16]
MOST: Final = (1 << 32) - 1  # requests of one person in one group; what is more counts as this
_DIGIT = 11  # bits a pass of the radix sort: 2048 counters stay in the first cache


class Lists(NamedTuple):
    """The people of each group, as a compressed sparse row matrix of (group, person).

    Attributes:
        offsets: Where the list of each group begins, and the end.
        members: The person, ascending within a group.
        requests, bytes: What is of this person in this group; requests at most `MOST`.
    """

    offsets: Ints
    members: Counts
    requests: Counts
    bytes: Ints


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
def select(parts: npt.NDArray[np.int8], wanted: npt.NDArray[np.bool_]) -> Codes:
    """Return the rows whose part of the universe is wanted, ascending."""
    rows, count = np.empty(len(parts) + 1, np.int32), 0
    for row in range(len(parts)):
        rows[count] = row
        count += wanted[parts[row]]
    return rows[:count].copy()


@kernel
def arrange(people: Codes, ranks: Codes) -> tuple[Codes, Ints]:
    """Return the rows in the order of the rank of their person, and the limits of each rank: a counting sort.

    ``people`` by row; ``ranks`` by person, a permutation. The rows of rank r are ``order[limits[r]:limits[r + 1]]``.
    """
    limits, order = np.zeros(len(ranks) + 2, np.int64), np.empty(len(people), np.int32)
    # counted two places ahead, filled one place ahead: what is left is where each rank starts
    for row in range(len(people)):
        limits[ranks[people[row]] + 2] += 1
    for rank in range(len(ranks)):
        limits[rank + 2] += limits[rank + 1]
    for row in range(len(people)):
        rank = ranks[people[row]]
        order[limits[rank + 1]] = row
        limits[rank + 1] += 1
    return order, limits[: len(ranks) + 1].copy()


@kernel
def spread(limits: Ints) -> Codes:
    """Return for each place between two limits which two they are."""
    out = np.empty(limits[-1] - limits[0], np.int32)
    for k in range(len(limits) - 1):
        for at in range(limits[k] - limits[0], limits[k + 1] - limits[0]):
            out[at] = k
    return out


@kernel
def add_up(
    places: Codes, parts: npt.NDArray[np.int8], sizes: Ints, wanted: npt.NDArray[np.bool_], count: int
) -> tuple[Counts, Ints]:
    """Return how many rows, and how many bytes, of each of ``count`` places are in a wanted part of the universe."""
    requests, size = np.zeros(count, np.uint32), np.zeros(count, np.int64)
    for row in range(len(places)):
        if wanted[parts[row]]:
            requests[places[row]] += np.uint32(1)
            size[places[row]] += sizes[row]
    return requests, size


@kernel
def extend(keys: Codes, codes: Codes, rows: Codes, ranks: Codes, size: int) -> None:
    """Make each key one digit longer, in place: the rank of the value in its row, of ``size`` many."""
    for place in range(len(keys)):
        keys[place] = keys[place] * size + ranks[codes[rows[place]]]


@kernel
def collect(keys: Codes, people: Codes, requests: Counts, sizes: Ints, groups: int) -> tuple[Lists, Codes]:
    """Return the lists of each group, and a place where it occurs, from rows or pairs whose people ascend.

    What stands at a place (a key, a person, its requests and bytes) adds to one pair; the pair is new where the last
    person of its group was another. One pass counts the pairs, another fills them where they belong.
    """
    offsets, last, example = np.zeros(groups + 2, np.int64), np.full(groups, -1, np.int32), np.zeros(groups, np.int32)
    for place in range(len(keys)):
        key, person = keys[place], people[place]
        offsets[key + 2] += last[key] != person
        last[key] = person
    # counted two places ahead, filled one place ahead: what is left is where each group starts
    for key in range(groups):
        offsets[key + 2] += offsets[key + 1]
        last[key] = -1
    count = offsets[groups + 1]
    members, counts, sums = np.empty(count, np.uint32), np.zeros(count, np.uint32), np.zeros(count, np.int64)
    for place in range(len(keys)):
        key, person = keys[place], people[place]
        end = offsets[key + 1] + (last[key] != person)
        offsets[key + 1], last[key], example[key] = end, person, place
        members[end - 1] = person
        counts[end - 1] = min(np.int64(counts[end - 1]) + np.int64(requests[place]), MOST)
        sums[end - 1] += sizes[place]
    return Lists(offsets[: groups + 1], members, counts, sums), example


@kernel
def total(offsets: Ints, values: Array) -> Ints:
    """Return the sum of the values of each group."""
    sums = np.zeros(len(offsets) - 1, np.int64)
    for group in range(len(sums)):
        for at in range(offsets[group], offsets[group + 1]):
            sums[group] += np.int64(values[at])
    return sums


@kernel
def transpose(lists: Lists, targets: Codes, count: int) -> tuple[Codes, Codes, Counts, Ints]:
    """Return the pairs of lists as `collect` takes them, by person of ``count`` many.

    ``targets`` renames the groups; the same target may come twice for a person, and -1 leaves a group out.
    """
    starts = np.zeros(count + 2, np.int64)
    for group in range(len(targets)):
        if targets[group] >= 0:
            for at in range(lists.offsets[group], lists.offsets[group + 1]):
                starts[np.int64(lists.members[at]) + 2] += 1
    for person in range(count):
        starts[person + 2] += starts[person + 1]
    keys, people = np.empty(starts[count + 1], np.int32), np.empty(starts[count + 1], np.int32)
    requests, sizes = np.empty(starts[count + 1], np.uint32), np.empty(starts[count + 1], np.int64)
    for group in range(len(targets)):
        if targets[group] >= 0:
            for at in range(lists.offsets[group], lists.offsets[group + 1]):
                member = np.int64(lists.members[at])
                place = starts[member + 1]
                keys[place], people[place] = targets[group], member
                requests[place], sizes[place] = lists.requests[at], lists.bytes[at]
                starts[member + 1] += 1
    return keys, people, requests, sizes


@kernel
def merge_people(
    a: tuple[Words, Words, Parts], b: tuple[Words, Words, Parts]
) -> tuple[Words, Words, Parts, Counts, Counts]:
    """Return the union of two sorted lists of people, and where each of a and of b is in it.

    A person is two words, distinct within a list, and the parts it was seen in, as bits.
    """
    (ax, ay, az), (bx, by, bz) = a, b
    most = len(ax) + len(bx)
    xs, ys, zs = np.empty(most, np.uint64), np.empty(most, np.uint64), np.zeros(most, np.uint16)
    map_a, map_b = np.empty(len(ax), np.uint32), np.empty(len(bx), np.uint32)
    i, j, count = np.int64(0), np.int64(0), np.int64(0)
    while i < len(ax) or j < len(bx):
        from_a = j == len(bx) or (i < len(ax) and (ax[i] < bx[j] or (ax[i] == bx[j] and ay[i] <= by[j])))
        from_b = i == len(ax) or (j < len(bx) and (bx[j] < ax[i] or (bx[j] == ax[i] and by[j] <= ay[i])))
        if from_a:
            xs[count], ys[count], map_a[i] = ax[i], ay[i], count
            zs[count] |= az[i]
        if from_b:
            xs[count], ys[count], map_b[j] = bx[j], by[j], count
            zs[count] |= bz[j]
        i, j, count = i + from_a, j + from_b, count + 1
    return xs[:count].copy(), ys[:count].copy(), zs[:count].copy(), map_a, map_b


@kernel
def merge_lists(a: Lists, map_a: Counts, from_a: Codes, b: Lists, map_b: Counts, from_b: Codes) -> Lists:
    """Return lists, each the union of list ``from_a[group]`` of a and ``from_b[group]`` of b; -1 is no list.

    The maps, ascending, rename the people of a and of b.
    """
    offsets, most = np.zeros(len(from_a) + 1, np.int64), len(a.members) + len(b.members)
    members, requests, sizes = np.empty(most, np.uint32), np.empty(most, np.uint32), np.empty(most, np.int64)
    count = np.int64(0)
    for group in range(len(from_a)):
        i, end_i, j, end_j = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
        if from_a[group] >= 0:
            i, end_i = a.offsets[from_a[group]], a.offsets[from_a[group] + 1]
        if from_b[group] >= 0:
            j, end_j = b.offsets[from_b[group]], b.offsets[from_b[group] + 1]
        while i < end_i or j < end_j:
            x = np.int64(map_a[a.members[i]]) if i < end_i else MOST
            y = np.int64(map_b[b.members[j]]) if j < end_j else MOST
            members[count] = x if x < y else y
            ours, theirs, of_ours, of_theirs = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
            if x <= y:
                ours, of_ours = np.int64(a.requests[i]), a.bytes[i]
            if y <= x:
                theirs, of_theirs = np.int64(b.requests[j]), b.bytes[j]
            both = ours + theirs
            requests[count], sizes[count] = both if both < MOST else MOST, of_ours + of_theirs
            i, j, count = i + (x <= y), j + (y <= x), count + 1
        offsets[group + 1] = count
    return Lists(offsets, members[:count].copy(), requests[:count].copy(), sizes[:count].copy())


@kernel
def mark(ids: Codes, parts: npt.NDArray[np.int8], seen: Parts) -> None:
    """Set, in place, the bit of the part that each row is in, for its person."""
    for row in range(len(ids)):
        seen[ids[row]] |= np.uint16(1) << np.uint16(parts[row])


@kernel
def count_distinct(offsets: Ints, members: Counts, ids: Codes, count: int) -> Ints:
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


@kernel
def survey(lists: Lists, client: Codes) -> tuple[Ints, Ints, Ints]:
    """Return for each group its distinct clients, and the most requests and the most bytes that one client has."""
    groups = len(lists.offsets) - 1
    clients, most, largest = np.zeros(groups, np.int64), np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    for group in range(groups):
        last, requests, size = np.int32(-1), np.int64(0), np.int64(0)
        for at in range(lists.offsets[group], lists.offsets[group + 1]):
            one = client[lists.members[at]]
            if one != last:
                clients[group] += 1
                last, requests, size = one, np.int64(0), np.int64(0)
            requests += np.int64(lists.requests[at])
            size += lists.bytes[at]
            most[group], largest[group] = max(most[group], requests), max(largest[group], size)
    return clients, most, largest


@kernel
def absorb(lists: Lists, groups: Ints, ends: Ints, client: Codes) -> tuple[Ints, Ints, Ints]:
    """Return of unions of groups their distinct clients, and the most requests and the most bytes that one client has.

    Union number n is all groups up to ``groups[ends[n]]``: each holds the one before.
    """
    clients, most, largest = np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64), np.zeros(len(ends), np.int64)
    requests, sizes = np.zeros(len(client) + 1, np.int64), np.zeros(len(client) + 1, np.int64)
    distinct, of_requests, of_sizes, begin = np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    for number in range(len(ends)):
        for place in range(begin, ends[number]):
            for at in range(lists.offsets[groups[place]], lists.offsets[groups[place] + 1]):
                one = client[lists.members[at]]
                distinct += requests[one] == 0
                requests[one] += np.int64(lists.requests[at])
                sizes[one] += lists.bytes[at]
                of_requests, of_sizes = max(of_requests, requests[one]), max(of_sizes, sizes[one])
        begin = ends[number]
        clients[number], most[number], largest[number] = distinct, of_requests, of_sizes
    return clients, most, largest

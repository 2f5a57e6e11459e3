"""Downloads: the whole of a file or a piece, told by size when a day is published, and counted once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.plans import protected_of

from logblur.aggregate.downloads import judged
from logblur.aggregate.partials import aggregate, lists, merge, people_of
from logblur.aggregate.thresholds import Part, People, release
from logblur.errors import PolicyError
from logblur.policy.load import builtin_text, decode
from logblur.policy.plan import TablePlan
from logblur.policy.resolve import resolve
from logblur.schema import Partial, Universe

TABLE = TablePlan("downloads", "download", ("path", "complete"), ("requests", "downloads", "bytes"), 2, 1.0)

Request = tuple[str, int, int, int]
"""Path, status, client, bytes."""


def partial(requests: Sequence[Request], table: TablePlan = TABLE) -> Partial:
    """Return the merged partial of a day with these requests."""
    paths, statuses, clients, sizes = zip(*requests, strict=True)
    columns = {
        "date": pa.array([20_590] * len(requests), pa.int32()),
        "universe": pa.array([int(Universe.DOWNLOAD)] * len(requests), pa.int8()),
        "bytes": pa.array(sizes, pa.int64()),
        "visitor": pa.array(clients, pa.uint64()),
        "client": pa.array(clients, pa.uint64()),
        "path": pa.array(paths).dictionary_encode(),
        "complete": pa.array(["yes" if status == 200 else "part" for status in statuses]).dictionary_encode(),
    }
    plan = resolve(decode(builtin_text("audience").encode()))
    made = aggregate(protected_of(pa.RecordBatch.from_pydict(columns)), replace(plan, tables=(table,)))
    return merge(made)


def rows(requests: Sequence[Request], table: TablePlan = TABLE) -> list[tuple[object, ...]]:
    """Return what is published of these requests."""
    return [tuple(row.values()) for row in release(partial(requests, table), [table])[table.name].rows.to_pylist()]


def test_pieces_of_one_visitor_and_file_are_one_download() -> None:
    """A reader that asks for a hundred pieces took one file; two people who take it whole took two."""
    pieces = [("/a.pdf", 206, client, 1000) for client in (1, 2) for _ in range(100)]
    assert rows(pieces) == [("/a.pdf", "part", 200, 2, 200_000)]
    whole = [("/a.pdf", 200, client, 500_000) for client in (3, 4)]
    assert rows([*pieces, *whole]) == [("/a.pdf", "part", 200, 2, 200_000), ("/a.pdf", "yes", 2, 2, 1_000_000)]


def test_a_transfer_that_broke_off_is_a_part() -> None:
    """Status 200 with fewer bytes than the file's largest answer is a piece; headers make no difference."""
    whole = [("/a.zip", 200, 1, 900_000), ("/a.zip", 200, 2, 899_400)]
    broken = [("/a.zip", 200, 3, 400_000), ("/a.zip", 200, 4, 0)]
    assert rows([*whole, *broken]) == [("/a.zip", "part", 2, 2, 400_000), ("/a.zip", "yes", 2, 2, 1_799_400)]


def test_pieces_that_make_up_the_file_are_the_whole() -> None:
    """Whoever fetched all of a file in pieces has it, as one download."""
    whole = [("/a.mp4", 200, 1, 1_000_000), ("/a.mp4", 200, 2, 1_000_000)]
    pieces = [("/a.mp4", 206, 3, 250_000)] * 4
    assert rows([*whole, *pieces]) == [("/a.mp4", "yes", 6, 3, 3_000_000)]


def test_a_piece_of_a_small_file_is_a_piece() -> None:
    """The slack for headers does not make all of a file that is smaller than they are."""
    whole = [("/a.ics", 200, 1, 600), ("/a.ics", 200, 2, 600)]
    assert rows([*whole, ("/a.ics", 206, 3, 100), ("/a.ics", 206, 4, 100)])[0][:3] == ("/a.ics", "part", 2)


def test_without_sizes_the_status_decides() -> None:
    """A log that holds no sizes, or no answer with the whole file, tells by status."""
    requests = [("/a.pdf", 200, 1, 0), ("/a.pdf", 200, 2, 0), ("/a.pdf", 206, 3, 0), ("/a.pdf", 206, 4, 0)]
    assert [row[:3] for row in rows(requests)] == [("/a.pdf", "part", 2), ("/a.pdf", "yes", 2)]


def test_one_client_does_not_make_the_downloads_of_a_row() -> None:
    """Where one client made most of the downloads, if not of the requests, the row says nothing of them."""
    table = TablePlan("downloads", "download", ("path", "complete"), ("requests", "downloads"), 2, 0.8)
    one = [("/a.pdf", 200, 1, 10)] * 50
    others = [("/a.pdf", 206, client, 10) for client in (2, 3) for _ in range(100)]
    assert rows([*one, *others], table) == []
    plain = TablePlan("downloads", "download", ("path", "complete"), ("requests",), 2, 0.8)
    assert rows([*one, *others], plain) != []


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["/a.pdf", "/b.zip", "/c"]),
        st.sampled_from([200, 206]),
        st.integers(0, 5),
        st.sampled_from([0, 10, 500, 100_000, 99_500, 50_000]),
    ),
    min_size=1,
    max_size=40,
)


@given(REQUESTS, st.sampled_from([("path", "complete"), ("complete", "path")]))
def test_judging_moves_and_neither_adds_nor_loses(requests: list[Request], by: tuple[str, ...]) -> None:
    """People, requests and bytes are those of before, groups are sorted, downloads are at most the requests."""
    table = TablePlan("downloads", "download", by, ("requests", "downloads"), 2)
    whole = partial(requests, table)
    before = whole.tables["downloads"]
    made, (part,) = judged(before, table, (Part(People.of(whole.people), lists(before)),))
    after, downloads = made.append_column("people", people_of(part.lists)), part.downloads
    assert downloads is not None
    keys = list(zip(*(after.column(name).to_pylist() for name in by), strict=True))
    assert keys == sorted(set(keys))
    for name in ("requests", "bytes"):
        assert sum(after.column(name).to_pylist()) == sum(before.column(name).to_pylist())
    members_of = after.column("people").to_pylist()
    assert sum(map(len, members_of)) == len(downloads)
    for members, wanted in zip(members_of, after.column("requests").to_pylist(), strict=True):
        people = [member["person"] for member in members]
        assert people == sorted(set(people))
        assert sum(member["requests"] for member in members) == wanted
    assert np.all(downloads >= 1)
    assert downloads.sum() <= len(requests)
    assert after.schema == before.schema


@pytest.mark.parametrize(("where", "by"), [("page", '["path", "complete"]'), ("download", '["path"]')])
def test_only_tables_of_files_count_downloads(where: str, by: str) -> None:
    """A table that cannot tell files or pieces apart is refused the measure."""
    head = builtin_text("audience").partition("[[table]]")[0]
    table = f'[[table]]\nname = "t"\nwhere = "{where}"\nby = {by}\nmeasures = ["downloads"]\nmin_clients = 2\n'
    with pytest.raises(PolicyError, match="counts files"):
        resolve(decode((head + table).encode()))

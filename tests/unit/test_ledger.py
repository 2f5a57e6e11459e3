"""The ledger: a log is known by its bytes, and a segment counts once, as a whole."""

from __future__ import annotations

import gzip
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logblur import durable
from logblur.dataset.identity import HEAD_SIZE, FileStat, Head, Identity
from logblur.dataset.ledger import NEW_LOG, Ledger, LogRecord
from logblur.dataset.partials import PartialFile
from logblur.errors import OutputError, PolicyError
from logblur.schema import Reason

DAY = date(2026, 3, 14)
NOW = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)
IDENTITY = Identity(b"i" * 32)


class Bytes:
    """A log in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def head(self, n: int) -> bytes:
        """Return the first bytes."""
        return self.data[:n]

    def tail(self, offset: int) -> bytes:
        """Return the bytes before an offset; none where the log is shorter."""
        return self.data[max(0, offset - 4096) : offset] if offset <= len(self.data) else b""


def lines(size: int, seed: int = 0) -> bytes:
    """Return lines of 40 bytes, other ones for each seed."""
    text = bytearray(f"{seed:08}{random.Random(seed).randbytes(size // 2).hex()}"[: size // 2 * 2].encode())
    text[39::40] = b"\n" * len(text[39::40])
    return bytes(text) + b"\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Give a new ledger."""
    ledger = Ledger(tmp_path / "ledger.sqlite", IDENTITY)
    ledger.pin_timezone(ZoneInfo("Europe/Riga"))
    yield ledger
    ledger.close()


def opened(ledger: Ledger, day: date = DAY, arrival: datetime = NOW, plan: str = "one") -> None:
    """Open a day."""
    ledger.open_day(
        day, plan_digest=plan, plan=f"plan {plan}", seal_after=timedelta(days=2), key_id="k", arrival=arrival
    )


def count(
    ledger: Ledger, data: bytes, *, stop: int | None = None, log: LogRecord | None = None, files: tuple[str, ...] = ()
) -> LogRecord | None:
    """Commit the bytes of a log from where it is known to."""
    content, stop = Bytes(data), len(data) if stop is None else stop
    head, log = Head.of(content), log or ledger.find(content)
    marks = ledger.marks(head, log.offset)
    for at in range(log.offset, stop, 9973):
        marks(at, memoryview(data)[at : min(at + 9973, stop)])
    return ledger.commit(
        log,
        head=head,
        tail=content.tail(stop),
        marks=marks.take(stop),
        new_offset=stop,
        partials=[PartialFile(name, DAY, 1) for name in files],
        rejects={Reason.BAD_TIME: 2},
        late={},
    )


@pytest.mark.parametrize("size", [10, 4096, 5000, HEAD_SIZE, HEAD_SIZE + 5000, 300_000])
def test_a_log_is_known_whatever_its_name_and_compression(ledger: Ledger, size: int) -> None:
    """The same bytes, read again from anywhere, are known to their end; one that grew, to where it had been."""
    data = lines(size)
    assert ledger.find(Bytes(data)) == NEW_LOG
    record = count(ledger, data)
    assert record is not None
    assert ledger.find(Bytes(gzip.decompress(gzip.compress(data)))) == record
    assert ledger.find(Bytes(data + lines(9000, 1))) == record
    assert record.offset == len(data)


def test_growth_is_followed(ledger: Ledger) -> None:
    """A log that grows day by day is resumed where the day before ended, from a short head to a long one."""
    data, size = lines(400_000), 0
    for stop in (50, 3000, 70_000, 70_001, 400_000):
        assert ledger.find(Bytes(data[:stop])).offset == size
        count(ledger, data[:stop])
        size = stop
    assert ledger.find(Bytes(data[:400_000])).offset == 400_000


def test_an_incomplete_last_line_waits(ledger: Ledger) -> None:
    """Bytes after the point reached change nothing: the log is known to that point, however they go on."""
    data = lines(2000)
    count(ledger, data + b"half a li", stop=len(data))
    assert ledger.find(Bytes(data + b"half a line\n")).offset == len(data)
    assert ledger.find(Bytes(data)).offset == len(data)


def test_copytruncate_begins_a_new_log(ledger: Ledger) -> None:
    """The emptied and refilled file is another log; the copy is the old one, grown or not."""
    old, new = lines(100_000, 1), lines(40_000, 2)
    count(ledger, old)
    assert ledger.find(Bytes(new)) == NEW_LOG
    assert ledger.find(Bytes(b"")) == NEW_LOG
    count(ledger, new)
    assert ledger.find(Bytes(old + lines(100))).offset == len(old)
    assert ledger.find(Bytes(new)).offset == len(new)


def test_equal_heads_do_not_make_one_log(ledger: Ledger) -> None:
    """Logs with the same first 64 KiB are told apart by what stands before the point reached."""
    head = lines(HEAD_SIZE + 100)
    one, two = head + lines(9000, 1), head + lines(9000, 2)
    count(ledger, one)
    assert ledger.find(Bytes(two)) == NEW_LOG
    count(ledger, two)
    assert ledger.find(Bytes(one)).id != ledger.find(Bytes(two)).id


def test_of_several_points_the_furthest_is_taken(ledger: Ledger) -> None:
    """Where a log fits several points, it is resumed at the last."""
    data = lines(20_000)
    for stop in (5000, 15_000, 10_000):
        count(ledger, data[:stop], log=NEW_LOG)
    assert ledger.find(Bytes(data)).offset == 15_000
    assert ledger.find(Bytes(data[:12_000])).offset == 10_000


@pytest.mark.parametrize(
    "cut", [30, 40, 319, 320, 321, 5000, HEAD_SIZE - 9, HEAD_SIZE, HEAD_SIZE + 1, 90_000, 163_840, 199_999]
)
@pytest.mark.parametrize("points", [[], [40], [20_000, 110_000]])
def test_an_older_copy_is_known_wherever_it_ends(ledger: Ledger, cut: int, points: list[int]) -> None:
    """A copy that was made before the log was counted holds nothing new, though no point is where it ends."""
    data = lines(200_000)
    for stop in (*points, len(data)):
        count(ledger, data[:stop])
    found = ledger.find(Bytes(data[:cut]))
    assert found.older == (cut >= (40 if 40 in points else 320))  # a few lines alone are no evidence
    assert not ledger.find(Bytes(data)).older


@pytest.mark.parametrize("at", [100, 5000, HEAD_SIZE + 20_000, 150_000])
def test_a_log_that_goes_another_way_is_no_older_copy(ledger: Ledger, at: int) -> None:
    """A log that differs from a known one before its own end is counted, from the last point that both share."""
    data = lines(200_000)
    count(ledger, data[:40])
    count(ledger, data)
    other = data[: at // 40 * 40] + lines(40_000, 1)
    found = ledger.find(Bytes(other))
    assert (found.offset, found.older) == (40, False)
    count(ledger, other)
    assert ledger.find(Bytes(other)).offset == len(other)
    assert ledger.find(Bytes(data)).offset == len(data)


def test_a_copy_that_went_another_way_shows_when_it_has_grown(ledger: Ledger) -> None:
    """Behind the head a copy is compared at each sixteenth KiB: one that differs since then waits for the next."""
    data = lines(200_000)
    count(ledger, data)
    other = data[:100_000] + lines(100, 1)
    assert ledger.find(Bytes(other)).older
    assert ledger.find(Bytes(other + lines(16 << 10, 2))) == NEW_LOG


def test_a_line_too_long_for_marks_fits_any(ledger: Ledger) -> None:
    """Where bytes were skipped there is no mark, and the marks around them still tell."""
    data = lines(HEAD_SIZE) + b"x" * 100_000 + lines(100_000, 1)
    head, marks = Head.of(Bytes(data)), ledger.marks(Head.of(Bytes(data)), 0)
    marks(0, memoryview(data)[: HEAD_SIZE + 1])
    marks(HEAD_SIZE + 100_001, memoryview(data)[HEAD_SIZE + 100_001 :])
    stop = len(data)
    tail = Bytes(data).tail(stop)
    taken = marks.take(stop)
    ledger.commit(NEW_LOG, head=head, tail=tail, marks=taken, new_offset=stop, partials=[], rejects={}, late={})
    assert ledger.find(Bytes(data[:-5000])).older
    assert not ledger.find(Bytes(data[: HEAD_SIZE + 100_001] + lines(100_000, 2))).older


HEADER = b"#Software: Example\n#Date: 2026-05-17 00:00:00\n#Fields: date time c-ip\n"


def test_header_lines_do_not_make_logs_one(ledger: Ledger) -> None:
    """Of a log only what stands behind its header lines tells what it is; with other header lines it is the same."""
    one, two = lines(3000, 1), lines(3000, 2)
    record = count(ledger, HEADER + one)
    assert record is not None
    assert record.offset == len(HEADER + one)
    assert ledger.find(Bytes(HEADER + two)) == NEW_LOG
    assert ledger.find(Bytes(HEADER)) == NEW_LOG
    assert ledger.find(Bytes(HEADER + one)).offset == len(HEADER + one)
    assert ledger.find(Bytes(one + two)).offset == len(one)
    assert ledger.find(Bytes(b"#Another: header\n" + one + b"#again\n")).offset == 17 + len(one)
    with pytest.raises(ValueError, match="has bytes"):
        count(ledger, HEADER)


def test_an_older_copy_stays_known_after_the_log_grew(ledger: Ledger) -> None:
    """A backup of a log from the day before is known to its end, though its log went on."""
    data = lines(30_000)
    count(ledger, data[:10_000])
    count(ledger, data)
    assert ledger.find(Bytes(data[:10_000])).offset == 10_000


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(10, 9000)), max_size=12))
def test_growing_and_rotating_logs_are_counted_once(steps: list[tuple[int, int]]) -> None:
    """However three logs grow by turns, each byte is counted exactly once."""
    logs, counted = [b"", b"", b""], 0
    with TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder) / "ledger.sqlite", IDENTITY)
        for seed, (which, size) in enumerate(steps):
            logs[which] += lines(size, seed)
            for data in logs:
                if data and (known := ledger.find(Bytes(data))).offset < len(data):
                    assert count(ledger, data, log=known) is not None
                    counted += len(data) - known.offset
            assert counted == sum(map(len, logs))
        ledger.close()


def test_a_segment_counts_once(ledger: Ledger) -> None:
    """A log named twice in one call commits its segment twice; the second time nothing changes, and it is said."""
    opened(ledger)
    data = lines(500)
    assert count(ledger, data, log=NEW_LOG, files=("a",)) is not None
    assert count(ledger, data, log=NEW_LOG, files=("b",)) is None
    assert (ledger.partials(DAY), ledger.rejects()) == (["a"], {Reason.BAD_TIME: 2})


@pytest.mark.parametrize("point", ["before commit", "after commit"])
def test_a_commit_counts_as_a_whole(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Ended at either side of the commit, all of a segment counts or none: offset, partials, days and rejects."""
    opened(ledger)
    data = lines(500)

    def die(name: str) -> None:
        if name == point:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(durable, "step", die)
        with pytest.raises(KeyboardInterrupt):
            count(ledger, data, files=("a",))
    seen = (
        ledger.find(Bytes(data)).offset,
        ledger.partials(),
        len(ledger.dirty_days()),
        sum(ledger.rejects().values()),
    )
    assert seen == ((0, [], 0, 0) if point == "before commit" else (len(data), ["a"], 1, 2))


def test_days_are_dirty_until_published(ledger: Ledger) -> None:
    """A commit makes its days dirty, publishing makes them clean, the next commit dirty again."""
    opened(ledger)
    assert ledger.dirty_days() == []
    count(ledger, lines(500), files=("a",))
    assert [record.day for record in ledger.dirty_days()] == [DAY]
    ledger.mark_clean(DAY)
    assert ledger.dirty_days() == []
    count(ledger, lines(500, 1), files=("b",))
    (record,) = ledger.dirty_days()
    assert (record.published, ledger.partials(DAY)) == (True, ["a", "b"])


def test_a_day_keeps_the_plan_it_opened_with(ledger: Ledger) -> None:
    """Opening a day again, with another plan, changes nothing."""
    opened(ledger, plan="one")
    opened(ledger, plan="two")
    record = ledger.day(DAY)
    assert record is not None
    assert (record.plan_digest, record.plan) == ("one", "plan one")


def test_nothing_is_added_to_a_day_that_is_not_open(ledger: Ledger) -> None:
    """A partial of an unknown or sealed day is refused, and nothing of its segment counts."""
    data = lines(500)
    with pytest.raises(ValueError, match="not open"):
        count(ledger, data, files=("a",))
    opened(ledger)
    ledger.seal(DAY, NOW)
    with pytest.raises(ValueError, match="not open"):
        count(ledger, data, files=("a",))
    assert ledger.find(Bytes(data)) == NEW_LOG


def test_late_lines_are_counted_by_day(ledger: Ledger) -> None:
    """Lines of a sealed day add up and open nothing."""
    opened(ledger)
    ledger.seal(DAY, NOW)
    for seed in range(2):
        data = Bytes(lines(50, seed))
        stop = len(data.data)
        ledger.commit(
            NEW_LOG, head=Head.of(data), tail=data.tail(stop), new_offset=stop, partials=[], rejects={}, late={DAY: 3}
        )
    assert (ledger.late(), ledger.rejects(), ledger.dirty_days()) == ({DAY: 6}, {}, [])


def test_a_segment_without_bytes_is_a_bug(ledger: Ledger) -> None:
    """An empty log is no log: nothing is recorded that every log would match."""
    with pytest.raises(ValueError, match="has bytes"):
        count(ledger, b"")


@pytest.mark.parametrize(
    ("arrival", "due"),
    [
        # The day ends at 22:00 UTC in Riga's winter; two days later it is due.
        (datetime(2026, 3, 14, 9, tzinfo=UTC), datetime(2026, 3, 16, 22, tzinfo=UTC)),
        # A backfill arrives in May: its day has two days from then.
        (datetime(2026, 5, 1, 9, tzinfo=UTC), datetime(2026, 5, 3, 9, tzinfo=UTC)),
    ],
)
def test_a_day_is_due_after_its_end_and_its_arrival(ledger: Ledger, arrival: datetime, due: datetime) -> None:
    """A day is due ``seal_after`` past the later of its end in the policy's zone and its first line's arrival."""
    opened(ledger, arrival=arrival)
    assert ledger.due_days(due - timedelta(seconds=1)) == []
    assert [record.day for record in ledger.due_days(due)] == [DAY]
    ledger.seal(DAY, due)
    assert ledger.due_days(due) == []


def test_the_end_of_a_day_follows_the_clock_change(ledger: Ledger) -> None:
    """The day on which summer time begins ends an hour earlier in UTC."""
    opened(ledger, date(2026, 3, 29), arrival=datetime(2026, 3, 29, 9, tzinfo=UTC))
    assert ledger.due_days(datetime(2026, 3, 31, 20, 59, 59, tzinfo=UTC)) == []
    assert len(ledger.due_days(datetime(2026, 3, 31, 21, tzinfo=UTC))) == 1


def test_the_zone_of_days_is_pinned(ledger: Ledger) -> None:
    """Days counted in one zone are not mixed with days of another; the error names the policy's key."""
    ledger.pin_timezone(ZoneInfo("Europe/Riga"))
    with pytest.raises(PolicyError, match=r"^input\.timezone: .*Europe/Riga"):
        ledger.pin_timezone(ZoneInfo("UTC"))


def test_a_file_is_unchanged_only_if_nothing_of_it_changed(ledger: Ledger) -> None:
    """A file that was remembered need not be opened, until its size, time or inode differs."""
    file = FileStat("/var/log/\udcff.log", 10, 20, 30)
    assert not ledger.unchanged(file)
    ledger.remember(file)
    assert ledger.unchanged(file)
    for other in (("x", 10, 20, 30), (file.name, 11, 20, 30), (file.name, 10, 21, 30), (file.name, 10, 20, 31)):
        assert not ledger.unchanged(FileStat(*other))
    ledger.remember(FileStat(file.name, 11, 20, 30))
    assert not ledger.unchanged(file)


def test_the_file_holds_no_name_and_no_byte_of_a_log(tmp_path: Path) -> None:
    """Neither a log's bytes nor its name can be found in the ledger, write-ahead log included, open or closed."""
    ledger = Ledger(tmp_path / "ledger.sqlite", IDENTITY)
    opened(ledger, plan="planted-plan")
    count(ledger, b"planted-line " * 500 + b"\n", files=("a",))
    ledger.remember(FileStat("/home/planted-name/access.log", 1, 2, 3))
    for end in (lambda: None, ledger.close):
        end()
        data = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"planted-plan" in data  # the search finds what is there
        assert b"planted-line" not in data
        assert b"planted-name" not in data


def test_other_keys_know_nothing(tmp_path: Path) -> None:
    """Without the state's key the digests say nothing: no log is recognised."""
    data = lines(500)
    ledger = Ledger(tmp_path / "ledger.sqlite", IDENTITY)
    count(ledger, data)
    ledger.close()
    ledger = Ledger(tmp_path / "ledger.sqlite", Identity(b"j" * 32))
    assert ledger.find(Bytes(data)) == NEW_LOG
    ledger.close()


def test_what_was_counted_is_there_at_the_next_start(tmp_path: Path) -> None:
    """Closing leaves one file, private, in which everything is found again."""
    path = tmp_path / "ledger.sqlite"
    for offset in (0, 501):
        ledger = Ledger(path, IDENTITY)
        assert ledger.find(Bytes(lines(500))).offset == offset
        count(ledger, lines(500))
        ledger.close()
        assert [file.name for file in tmp_path.iterdir()] == ["ledger.sqlite"]
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("damage", ["junk", "page", "foreign", "newer", "older"])
def test_a_damaged_ledger_is_said_to_be(tmp_path: Path, damage: str) -> None:
    """A ledger that is no database, broken inside, another program's or of another version is named, exit 5."""
    path = tmp_path / "ledger.sqlite"
    Ledger(path, IDENTITY).close()
    if damage == "junk":
        path.write_bytes(b"not a database" * 1000)
    elif damage == "page":
        data = bytearray(path.read_bytes())
        data[4096:8192] = b"\xff" * 4096
        path.write_bytes(data)
    else:
        db = sqlite3.connect(path)
        pragma = {"foreign": "application_id=1", "newer": "user_version=99", "older": "user_version=1"}[damage]
        db.execute(f"PRAGMA {pragma}")
        db.close()
    with pytest.raises(OutputError, match=r"ledger\.sqlite: .*(damaged|newer|older)") as caught:
        Ledger(path, IDENTITY)
    assert caught.value.exit_code == 5


def test_a_thousand_known_logs_take_no_time(ledger: Ledger) -> None:
    """Small logs, each of a size of its own, are found in one pass over a head, and by stat without any."""
    for seed in range(200):
        count(ledger, lines(1000 + 2 * seed, seed))
    reads = 0

    class Watched(Bytes):
        def tail(self, offset: int) -> bytes:
            nonlocal reads
            reads += 1
            return super().tail(offset)

    for seed in range(200):
        assert ledger.find(Watched(lines(1000 + 2 * seed, seed))).offset == 1001 + 2 * seed
    assert reads == 200

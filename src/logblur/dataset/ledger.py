"""The ledger: what has been counted, in SQLite, so that nothing is counted twice and nothing is lost.

A log is the chain of its segments. Each commit adds the point it reached: a keyed digest of the log's head and one of
the bytes before the point. A log is known when some point fits its bytes, whatever its name, inode or compression. No
point is ever overwritten. Each segment also keeps digests of what lies within it, by which an older and shorter copy of
a log is recognised that ends between two points.

Privacy:
    No value of a line and no name of a log is kept, only digests under a random key of the state.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from logblur.dataset.database import Database
from logblur.dataset.identity import (
    EVIDENCE,
    UNKNOWN,
    WINDOW,
    FileStat,
    Head,
    Identity,
    LogContent,
    Marks,
    mark_offsets,
)
from logblur.errors import PolicyError
from logblur.periods import Period

if TYPE_CHECKING:  # a run with nothing new reads no partial
    from logblur.dataset.partials import PartialFile


@dataclass(frozen=True, slots=True)
class LogRecord:
    """How far a log has been counted.

    Attributes:
        id: The last segment that counts; None for a log that nothing is known of.
        offset: Where to go on, bytes into the decompressed log.
        older: The log is a copy made before its original was counted further: nothing in it is new.
    """

    id: int | None
    offset: int
    older: bool = False


NEW_LOG: Final = LogRecord(None, 0)


@dataclass(frozen=True, slots=True)
class DayRecord:
    """What the ledger knows of a day.

    Attributes:
        day: The day in the policy's zone.
        plan_digest, plan: The Plan it opened with, which it keeps: its digest, and a text to make it again.
        key_id: The id of the day's key.
        sealed: Nothing can be added any more; a line of this day is late.
        dirty: Something counts that is not published yet.
        published: Its tables have been written at least once.
        purged: Its retention is over, and its tables are gone, or about to be.
        first_arrival: When its first line was counted, UTC.
    """

    day: date
    plan_digest: str
    plan: str
    key_id: str
    sealed: bool
    dirty: bool
    published: bool
    purged: bool
    first_arrival: datetime


@dataclass(frozen=True, slots=True)
class Destruction:
    """A key that is no more.

    Attributes:
        key_id: Its id.
        name: The day, in ISO form, or what the policy called it.
        at: When, UTC.
        reason: Why.
    """

    key_id: str
    name: str
    at: datetime
    reason: str


DUE: Final = "seal_after is over"
OVER: Final = "retention is over"
"""Why keys of days are destroyed when nobody asks for it."""

_DESTROYED_WITH_DAY: Final = """
INSERT OR IGNORE INTO destroyed (key_id, name, at, reason)
SELECT key_id, day, ?, ? FROM days WHERE day = ? AND sealed_at IS NULL
"""

_OPEN_DAY_OF_LOG: Final = """
WITH RECURSIVE log (id) AS (VALUES (?) UNION SELECT parent FROM segments JOIN log USING (id) WHERE parent IS NOT NULL)
SELECT EXISTS (
    SELECT 1 FROM log JOIN partials ON segment = log.id JOIN days USING (day) WHERE sealed_at IS NULL
)
"""


class Ledger:
    """One SQLite file, one writer. Times are aware, UTC. Every method that writes is one transaction."""

    __slots__ = ("_db", "_identity")

    def __init__(self, path: Path, identity: Identity) -> None:
        """Open the ledger at ``path``, or begin one.

        Args:
            path: The SQLite file.
            identity: The state's digests of logs.
        """
        self._db = Database(path)
        self._identity = identity

    def close(self) -> None:
        """Leave everything in one file; nothing can be called any more."""
        self._db.close()

    # The state

    def meta(self, name: str) -> str | None:
        """Return what was set under this name."""
        value: str | None = self._db.value("SELECT value FROM meta WHERE name = ?", name)
        return value

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Set names to values, all at once."""
        with self._db.transaction():
            self._db.execute_many("INSERT OR REPLACE INTO meta VALUES (?, ?)", values.items())

    def pin_timezone(self, zone: ZoneInfo) -> None:
        """Count this state's days in ``zone``, now and always.

        Raises:
            PolicyError: They have been counted in another one.
        """
        pinned = self.meta("timezone")
        if pinned is None:
            self.set_meta({"timezone": zone.key})
        elif pinned != zone.key:
            message = f"the days of this state are counted in {pinned}; write that, or start a new OUT"
            raise PolicyError(message, path="input.timezone")

    def pin_period(self, period: Period) -> None:
        """Count this state by days, or by weeks, now and always.

        Raises:
            PolicyError: It has been counted by the other.
        """
        if self.meta("period") is None and not self.days():
            self.set_meta({"period": period})
        elif self.period != period:
            raise PolicyError(f"this state counts by {self.period}; write that, or start a new OUT", path="period")

    @property
    def period(self) -> Period:
        """What a day of this state is."""
        return Period(self.meta("period") or Period.DAY)

    # Logs

    def find(self, content: LogContent) -> LogRecord:
        """Return how far this log has been counted, known by its bytes alone.

        Returns:
            The furthest point whose head and tail the log has; `NEW_LOG` where there is none. A log that ends before
            a point, or differs before it, does not fit that point; but if it fits all that is kept of the segment
            that leads to the point, as far as it goes, it is an older copy; from `EVIDENCE` lines on.

        Cost:
            One pass over 64 KiB, an index lookup, and for points that fit the head one read of 4 KiB each, the
            furthest first. Where the log was counted further than it goes, a read for each 16 KiB of one segment. It
            sees what has been committed: of logs that may be one (named twice in a call), find the second after the
            first is counted.
        """
        head = Head.of(content)
        if not head.data:
            return NEW_LOG
        lines = self._identity.lines(head.data)
        point = self._furthest(content, head, lines)
        further = "SELECT stop, lines, marks FROM segments WHERE parent IS ? AND first = ?"
        older = (point.id is not None or len(lines) >= EVIDENCE) and any(
            self._is_within(content, head, lines, point, *segment)
            for segment in self._db.rows(further, point.id, lines[:1])
        )
        return replace(point, older=older)

    def _furthest(self, content: LogContent, head: Head, lines: bytes) -> LogRecord:
        query = "SELECT stop, id, head_size, head, tail FROM segments WHERE first = ? ORDER BY stop DESC, id DESC"
        points = self._db.rows(query, lines[:1])
        sizes = sorted({size for _, _, size, _, _ in points})
        heads = dict(zip(sizes, self._identity.heads(head.data, sizes), strict=False))
        for stop, segment, size, digest, tail in points:
            if heads.get(size) == digest and self._identity.tail(content.tail(head.start + stop)[-stop:]) == tail:
                return LogRecord(segment, head.start + stop)
        return NEW_LOG

    def _is_within(
        self, content: LogContent, head: Head, lines: bytes, point: LogRecord, stop: int, ends: bytes, marks: bytes
    ) -> bool:
        """Say whether a log that is known to ``point`` ends within a segment that goes on there, and fits it."""
        counted = max(point.offset - head.start, 0)
        if not ends.startswith(lines[head.data.count(b"\n", 0, counted) :]):
            return False
        for mark, offset in zip(marks, mark_offsets(counted), strict=False):
            window = content.tail(head.start + offset)
            if not window:
                return True  # it ends here
            if mark not in (UNKNOWN, self._identity.mark(window[-WINDOW:])):
                return False
        return not content.tail(head.start + stop)

    def marks(self, head: Head, offset: int) -> Marks:
        """Return what is to see the bytes of a log, from an offset on, while it is read."""
        return Marks(self._identity, head.start, offset)

    def commit(
        self,
        log: LogRecord,
        *,
        head: Head,
        tail: bytes,
        marks: bytes = b"",
        new_offset: int,
        partials: Sequence[PartialFile],
        rejects: Mapping[int, int],
        late: Mapping[date, int],
    ) -> LogRecord | None:
        """Make one segment count, as a whole: its partials, rejects and late lines, and the log's new offset.

        Args:
            log: The point the segment begins at.
            head: The log's.
            tail: What `LogContent.tail` gives at ``new_offset``.
            marks: What `Marks` gives for the segment.
            new_offset: Where the segment ends; behind the header lines.
            partials: The segment's, on disk. Their days are open; they become dirty.
            rejects: Lines by `Reason`.
            late: Lines by day that is closed. Those of days that were never open here leave no count.

        Returns:
            The point reached. None where this segment has been counted before (a log named twice in one call):
            nothing changed, and the partials are orphans.
        """
        start, stop = max(log.offset - head.start, 0), new_offset - head.start
        data = head.data[: max(stop, 0)]
        if not data or not tail:
            raise ValueError("a segment that counts has bytes")
        lines = self._identity.lines(data)
        (digest,) = self._identity.heads(data, [len(data)])
        point = (lines[:1], len(data), digest, stop, self._identity.tail(tail[-stop:]))
        ends = lines[data.count(b"\n", 0, start) :]
        with self._db.transaction():
            known = "SELECT 1 FROM segments WHERE (first, head_size, head, stop, tail) = (?, ?, ?, ?, ?)"
            if self._db.value(known, *point):
                return None
            segment = self._db.execute(
                "INSERT INTO segments (parent, start, first, head_size, head, stop, tail, lines, marks)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                log.id,
                start,
                *point,
                ends,
                marks,
            ).lastrowid
            for partial in partials:
                day = partial.day.isoformat()
                opened = self._db.execute("UPDATE days SET dirty = 1 WHERE day = ? AND sealed_at IS NULL", day)
                if opened.rowcount != 1:
                    raise ValueError(f"{day} is not open")
                self._db.execute("INSERT INTO partials VALUES (?, ?, ?)", segment, day, partial.name)
            self._add("rejects", "reason", rejects.items())
            known_days = {record.day for record in self._days("TRUE")} if late else set()
            self._add("late", "day", ((day.isoformat(), n) for day, n in late.items() if day in known_days))
        return LogRecord(segment, new_offset)

    def unchanged(self, file: FileStat) -> bool:
        """Say whether a file is as `remember` saw it, so that it need not be opened."""
        name, stat = self._identity.file(file)
        return bool(self._db.value("SELECT stat FROM files WHERE name = ?", name) == stat)

    def remember(self, file: FileStat, segment: int | None = None) -> None:
        """Note a file of which there is nothing left to count, as it was before it was read.

        Args:
            file: The file.
            segment: The last segment of its log, if every byte of it counts.
        """
        with self._db.transaction():
            self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", *self._identity.file(file), segment)

    def is_settled(self, file: FileStat) -> bool:
        """Say whether every byte of a file counts, and every day that it has lines of is sealed."""
        name, stat = self._identity.file(file)
        segment = self._db.value("SELECT segment FROM files WHERE name = ? AND stat = ?", name, stat)
        return segment is not None and not self._db.value(_OPEN_DAY_OF_LOG, segment)

    def record_removal(self, now: datetime, file: FileStat) -> None:
        """Note that a log is removed, before it is."""
        with self._db.transaction():
            name, _ = self._identity.file(file)
            self._db.execute("INSERT INTO removed (at, log) VALUES (?, ?)", _seconds(now), name)

    # Days

    def open_day(
        self,
        day: date,
        *,
        plan_digest: str,
        plan: str,
        seal_after: timedelta,
        key_id: str,
        arrival: datetime,
    ) -> DayRecord:
        """Open a day with a Plan that it keeps; a day that is open already stays as it is. Returns what holds."""
        values = (day.isoformat(), plan_digest, plan, round(seal_after.total_seconds()), key_id, _seconds(arrival))
        with self._db.transaction():
            self._db.execute(
                "INSERT OR IGNORE INTO days (day, plan_digest, plan, seal_after, key_id, first_arrival)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                *values,
            )
        (record,) = self._days("day = ?", day.isoformat())
        return record

    def day(self, day: date) -> DayRecord | None:
        """Return what is known of a day."""
        return next(iter(self._days("day = ?", day.isoformat())), None)

    def days(self) -> list[DayRecord]:
        """Return all days, ascending."""
        return self._days("TRUE")

    def dirty_days(self) -> list[DayRecord]:
        """Return the days in which something counts that is not published yet, ascending."""
        return self._days("dirty")

    def due_days(self, now: datetime) -> list[DayRecord]:
        """Return the open days that are to be sealed, ascending.

        A day is due ``seal_after`` past the later of its end and the arrival of its first line.
        """
        zone, period = ZoneInfo(self.meta("timezone") or "UTC"), self.period
        rows = self._db.rows("SELECT day, seal_after, first_arrival FROM days WHERE sealed_at IS NULL")
        due = {
            date.fromisoformat(day)
            for day, seal_after, arrival in rows
            if _seconds(now) >= seal_after + max(arrival, _start(period.after(date.fromisoformat(day)), zone))
        }
        return [record for record in self._days("sealed_at IS NULL") if record.day in due]

    def mark_clean(self, day: date) -> None:
        """Note that all that counts in a day is published."""
        with self._db.transaction():
            self._db.execute("UPDATE days SET dirty = 0, published = 1 WHERE day = ?", day.isoformat())

    def publish_again(self) -> None:
        """Mark every open day dirty: nothing of what was published is there any more."""
        with self._db.transaction():
            self._db.execute("UPDATE days SET dirty = 1, published = 0 WHERE sealed_at IS NULL")

    def seal(self, day: date, now: datetime, reason: str = DUE) -> None:
        """Close a day for ever, and note that its key is destroyed. A day that is sealed already stays as it is."""
        sealed = "UPDATE days SET sealed_at = ? WHERE day = ? AND sealed_at IS NULL"
        with self._db.transaction():
            self._db.execute(_DESTROYED_WITH_DAY, _seconds(now), reason, day.isoformat())
            self._db.execute(sealed, _seconds(now), day.isoformat())

    def purge(self, day: date, now: datetime) -> None:
        """Note that a day's files are to be removed, and close it where it is open. It stays so."""
        with self._db.transaction():
            self._db.execute(_DESTROYED_WITH_DAY, _seconds(now), OVER, day.isoformat())
            closed = "UPDATE days SET purged = 1, dirty = 0, sealed_at = ifnull(sealed_at, ?) WHERE day = ?"
            self._db.execute(closed, _seconds(now), day.isoformat())
            self._db.execute("INSERT INTO removed (at, day) VALUES (?, ?)", _seconds(now), day.isoformat())

    def half_purged(self) -> list[date]:
        """Return the days whose files are to be removed, ascending."""
        return [record.day for record in self._days("purged = 1")]

    def mark_purged(self, day: date) -> None:
        """Note that nothing of a day is left in OUT."""
        with self._db.transaction():
            self._db.execute("UPDATE days SET purged = 2 WHERE day = ?", day.isoformat())

    def removed(self) -> tuple[list[date], int]:
        """Return the days that were removed, in order, and how many logs were."""
        days = self._db.rows("SELECT day FROM removed WHERE day IS NOT NULL ORDER BY rowid")
        return [date.fromisoformat(day) for (day,) in days], self._db.value("SELECT count(log) FROM removed")

    def forget_empty_days(self) -> None:
        """Remove open days in which nothing counts: a killed run opened them."""
        with self._db.transaction():
            self._db.execute("DELETE FROM days WHERE sealed_at IS NULL AND day NOT IN (SELECT day FROM partials)")

    def partials(self, day: date | None = None) -> list[str]:
        """Return the names of the partials that count, of one day or all, in the order they came."""
        query = "SELECT file FROM partials WHERE file IS NOT NULL AND (day = ?1 OR ?1 IS NULL) ORDER BY rowid"
        return [name for (name,) in self._db.rows(query, day and day.isoformat())]

    def forget_partials(self, day: date) -> None:
        """Note that a sealed day's partials are gone, and leave nothing of their names in the file."""
        with self._db.transaction():
            self._db.execute("UPDATE partials SET file = NULL WHERE day = ?", day.isoformat())
        self._db.checkpoint()

    def note_builds(self, day: date, databases: Mapping[str, str]) -> None:
        """Note which build of a database lines of a day are looked up in, by the column that it gives."""
        rows = [(day.isoformat(), name, build) for name, build in databases.items()]
        with self._db.transaction():
            self._db.execute_many("INSERT OR IGNORE INTO builds VALUES (?, ?, ?)", rows)

    def builds(self, day: date) -> dict[str, list[str]]:
        """Return the builds that lines of a day were looked up in, by column, sorted."""
        found: dict[str, list[str]] = {}
        query = "SELECT name, build FROM builds WHERE day = ? ORDER BY name, build"
        for name, build in self._db.rows(query, day.isoformat()):
            found.setdefault(name, []).append(build)
        return found

    # Keys

    def record_destruction(self, key_id: str, name: str, now: datetime, reason: str) -> None:
        """Note that an operator's key is destroyed, before it is; what was noted first stays."""
        with self._db.transaction():
            self._db.execute("INSERT OR IGNORE INTO destroyed VALUES (?, ?, ?, ?)", key_id, name, _seconds(now), reason)

    def destructions(self) -> list[Destruction]:
        """Return the keys that were destroyed, of days and of the operator, in the order it happened."""
        rows = self._db.rows("SELECT key_id, name, at, reason FROM destroyed ORDER BY at, name")
        return [Destruction(key, name, datetime.fromtimestamp(at, UTC), reason) for key, name, at, reason in rows]

    # Counters

    def rejects(self) -> dict[int, int]:
        """Return rejected lines by `Reason`, over all that counts."""
        return dict(self._db.rows("SELECT reason, lines FROM rejects ORDER BY reason"))

    def late(self) -> dict[date, int]:
        """Return lines that came after their day was sealed."""
        rows = self._db.rows("SELECT day, lines FROM late ORDER BY day")
        return {date.fromisoformat(day): lines for day, lines in rows}

    # Inside

    def _days(self, where: str, *values: str) -> list[DayRecord]:
        columns = "day, plan_digest, plan, key_id, sealed_at IS NOT NULL, dirty, published, purged, first_arrival"
        rows = self._db.rows(f"SELECT {columns} FROM days WHERE {where} ORDER BY day", *values)  # noqa: S608
        return [_day(*row) for row in rows]

    def _add(self, counter: str, key: str, lines: Iterable[tuple[int | str, int]]) -> None:
        add = f"INSERT INTO {counter} VALUES (?, ?) ON CONFLICT ({key}) DO UPDATE SET lines = lines + excluded.lines"  # noqa: S608
        self._db.execute_many(add, [(name, count) for name, count in lines if count])


def _day(
    day: str, digest: str, plan: str, key_id: str, sealed: int, dirty: int, published: int, purged: int, arrival: int
) -> DayRecord:
    told = bool(sealed), bool(dirty), bool(published), bool(purged)
    return DayRecord(date.fromisoformat(day), digest, plan, key_id, *told, datetime.fromtimestamp(arrival, UTC))


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _start(day: date, zone: ZoneInfo) -> int:
    return _seconds(datetime.combine(day, time(), zone))

"""The ledger: what has been counted, in SQLite, so that nothing is counted twice and nothing is lost.

A log is the chain of its segments. Each commit adds the point it reached: a keyed digest of the log's head and one of
the bytes before the point. A log is known when some point fits its bytes, whatever its name, inode or compression. No
point is ever overwritten: an older copy of a log that grew since is recognised up to the last point that it reaches.

Privacy:
    No value of a line and no name of a log is kept, only digests under a random key of the state.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from logblur.dataset.database import Database
from logblur.dataset.identity import HEAD_SIZE, FileStat, Identity, LogContent
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
    """

    id: int | None
    offset: int


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
    """

    day: date
    plan_digest: str
    plan: str
    key_id: str
    sealed: bool
    dirty: bool
    published: bool


_HEAD_SIZES: Final = """
WITH RECURSIVE sizes (size) AS (
    SELECT min(head_size) FROM segments
    UNION ALL SELECT (SELECT min(head_size) FROM segments WHERE head_size > size) FROM sizes WHERE size IS NOT NULL
) SELECT size FROM sizes WHERE size IS NOT NULL
"""
"""The distinct sizes, ascending, one index lookup each; ``SELECT DISTINCT`` would read the whole index."""


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
            a point, or differs before it, does not fit that point.

        Cost:
            One pass over 64 KiB, two index lookups for each distinct size of a known head, and for points that fit
            the head one read of 4 KiB each, the furthest first. It sees what has been committed: of logs that may be
            one (named twice in a call), find the second after the first is counted.
        """
        head = content.head(HEAD_SIZE)
        sizes = [size for (size,) in self._db.rows(_HEAD_SIZES)]
        found: list[tuple[int, int, bytes]] = []
        for size, digest in zip(sizes, self._identity.heads(head, sizes), strict=False):
            query = "SELECT stop, id, tail FROM segments WHERE head_size = ? AND head = ?"
            found += self._db.rows(query, size, digest)
        for stop, segment, tail in sorted(found, reverse=True):
            if hmac.compare_digest(self._identity.tail(content.tail(stop)), tail):
                return LogRecord(segment, stop)
        return NEW_LOG

    def commit(
        self,
        log: LogRecord,
        *,
        head: bytes,
        tail: bytes,
        new_offset: int,
        partials: Sequence[PartialFile],
        rejects: Mapping[int, int],
        late: Mapping[date, int],
    ) -> LogRecord | None:
        """Make one segment count, as a whole: its partials, rejects and late lines, and the log's new offset.

        Args:
            log: The point the segment begins at.
            head: What the log's `LogContent.head` gives, or as much of it as is counted.
            tail: What `LogContent.tail` gives at ``new_offset``.
            new_offset: Where the segment ends.
            partials: The segment's, on disk. Their days are open; they become dirty.
            rejects: Lines by `Reason`.
            late: Lines by sealed day.

        Returns:
            The point reached. None where this segment has been counted before (a log named twice in one call):
            nothing changed, and the partials are orphans.
        """
        head = head[: min(HEAD_SIZE, new_offset)]
        if not head or not tail:
            raise ValueError("a segment that counts has bytes")
        point = (len(head), *self._identity.heads(head, [len(head)]), new_offset, self._identity.tail(tail))
        with self._db.transaction():
            known = "SELECT 1 FROM segments WHERE (head_size, head, stop, tail) = (?, ?, ?, ?)"
            if self._db.value(known, *point):
                return None
            segment = self._db.execute(
                "INSERT INTO segments (parent, start, head_size, head, stop, tail) VALUES (?, ?, ?, ?, ?, ?)",
                log.id,
                log.offset,
                *point,
            ).lastrowid
            for partial in partials:
                day = partial.day.isoformat()
                opened = self._db.execute("UPDATE days SET dirty = 1 WHERE day = ? AND sealed_at IS NULL", day)
                if opened.rowcount != 1:
                    raise ValueError(f"{day} is not open")
                self._db.execute("INSERT INTO partials VALUES (?, ?, ?)", segment, day, partial.name)
            self._add("rejects", "reason", rejects.items())
            self._add("late", "day", ((day.isoformat(), lines) for day, lines in late.items()))
        return LogRecord(segment, new_offset)

    def unchanged(self, file: FileStat) -> bool:
        """Say whether a file is as `remember` saw it, so that it need not be opened."""
        name, stat = self._identity.file(file)
        return bool(self._db.value("SELECT stat FROM files WHERE name = ?", name) == stat)

    def remember(self, files: Iterable[FileStat]) -> None:
        """Note files of which there is nothing left to count, as they were before they were read."""
        with self._db.transaction():
            self._db.execute_many("INSERT OR REPLACE INTO files VALUES (?, ?)", map(self._identity.file, files))

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

    def seal(self, day: date, now: datetime) -> None:
        """Close a day for ever. A day that is sealed already stays as it is."""
        sealed = "UPDATE days SET sealed_at = ? WHERE day = ? AND sealed_at IS NULL"
        with self._db.transaction():
            self._db.execute(sealed, _seconds(now), day.isoformat())

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
        columns = "day, plan_digest, plan, key_id, sealed_at IS NOT NULL, dirty, published"
        rows = self._db.rows(f"SELECT {columns} FROM days WHERE {where} ORDER BY day", *values)  # noqa: S608
        return [DayRecord(date.fromisoformat(row[0]), *row[1:4], *map(bool, row[4:])) for row in rows]

    def _add(self, counter: str, key: str, lines: Iterable[tuple[int | str, int]]) -> None:
        add = f"INSERT INTO {counter} VALUES (?, ?) ON CONFLICT ({key}) DO UPDATE SET lines = lines + excluded.lines"  # noqa: S608
        self._db.execute_many(add, [(name, count) for name, count in lines if count])


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _start(day: date, zone: ZoneInfo) -> int:
    return _seconds(datetime.combine(day, time(), zone))

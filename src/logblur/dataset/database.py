"""The ledger's SQLite file: opened so that a commit survives a power cut, closed so that nothing lingers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from logblur import durable
from logblur.errors import OutputError

_VERSION: Final = 2
_APPLICATION: Final = 0x6C6F6762  # "logb"

_TABLES: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE segments (
    id INTEGER PRIMARY KEY,
    parent INTEGER REFERENCES segments,  -- the segment of the same log before this one
    start INTEGER NOT NULL,              -- bytes into the decompressed log, behind its header lines
    stop INTEGER NOT NULL CHECK (stop > start),
    first BLOB NOT NULL,                 -- one byte, of the log's first line: where to look
    head_size INTEGER NOT NULL,
    head BLOB NOT NULL,
    tail BLOB NOT NULL,
    lines BLOB NOT NULL,                 -- a byte for the end of each of its lines in the log's head
    marks BLOB NOT NULL,                 -- a byte at fixed offsets behind the head
    UNIQUE (first, head_size, head, stop, tail)
) STRICT;
CREATE INDEX segments_of_first ON segments (first, parent);
CREATE INDEX segments_of_parent ON segments (parent);
CREATE TABLE days (
    day TEXT PRIMARY KEY,
    plan_digest TEXT NOT NULL,
    plan TEXT NOT NULL,
    seal_after INTEGER NOT NULL,         -- seconds
    key_id TEXT NOT NULL,
    first_arrival INTEGER NOT NULL,      -- seconds since 1970, UTC
    sealed_at INTEGER,                   -- likewise; null while the day is open
    dirty INTEGER NOT NULL DEFAULT 0,    -- something counts that is not published yet
    published INTEGER NOT NULL DEFAULT 0,
    purged INTEGER NOT NULL DEFAULT 0    -- 1: its files are being removed; 2: they are gone
) STRICT, WITHOUT ROWID;
CREATE TABLE partials (
    segment INTEGER NOT NULL REFERENCES segments,
    day TEXT NOT NULL REFERENCES days,
    file TEXT UNIQUE                     -- null once the day is sealed
) STRICT;
CREATE INDEX partials_of_day ON partials (day);
CREATE INDEX partials_of_segment ON partials (segment);
CREATE TABLE files (
    name BLOB PRIMARY KEY,
    stat BLOB NOT NULL,
    segment INTEGER REFERENCES segments  -- the last one, where every byte of the file counts
) STRICT, WITHOUT ROWID;
CREATE TABLE removed (
    at INTEGER NOT NULL,                 -- seconds since 1970, UTC
    day TEXT,                            -- one of the two
    log BLOB
) STRICT;
CREATE TABLE rejects (reason INTEGER PRIMARY KEY, lines INTEGER NOT NULL) STRICT;
CREATE TABLE late (day TEXT PRIMARY KEY REFERENCES days, lines INTEGER NOT NULL) STRICT, WITHOUT ROWID;
"""

_ADDED: Final = """
CREATE TABLE IF NOT EXISTS destroyed (
    key_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,                  -- the day, or what the policy calls the key
    at INTEGER NOT NULL,                 -- seconds since 1970, UTC
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS builds (
    day TEXT NOT NULL,
    name TEXT NOT NULL,                  -- the column that is looked up
    build TEXT NOT NULL,
    PRIMARY KEY (day, name, build)
) STRICT, WITHOUT ROWID;
"""
"""Tables of later versions, made where they lack: a version that does not know them reads the others as before."""

_DAMAGED: Final = (
    "the ledger is damaged; published files are whole: restore the state as a whole from a backup, or start a new OUT"
)
_REFUSED: Final = "the system refuses to write; see the disk, its limits and permissions, and run again"
_ADVICE: Final = {
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_FULL: "no space is left there; free some and run again",
    sqlite3.SQLITE_IOERR: _REFUSED,
    sqlite3.SQLITE_READONLY: _REFUSED,
    sqlite3.SQLITE_CANTOPEN: _REFUSED,
    sqlite3.SQLITE_PERM: _REFUSED,
    sqlite3.SQLITE_BUSY: "another program holds the ledger; close it and run again",
}


class Database:
    """One connection; the lock of the state keeps other writers away.

    Raises:
        OutputError: From every method: damaged, made by a newer version, or the system refuses.
    """

    __slots__ = ("_db", "path")

    def __init__(self, path: Path) -> None:
        """Open the file at ``path``, or begin one that this user alone can read."""
        self.path = path
        if not path.exists():
            durable.write_file(path, b"", mode=0o600)
        with self._explained():
            self._db = sqlite3.connect(path, isolation_level=None)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def _prepare(self) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self.value("PRAGMA user_version")
        if version > _VERSION:
            raise OutputError(f"{self.path}: a newer logblur made this ledger; use that version or a newer one")
        if 0 < version < _VERSION:
            raise OutputError(
                f"{self.path}: an older logblur made this ledger, in a form that is not read any more; "
                "seal its days with that version, then begin a new OUT"
            )
        if version == 0:
            with self.transaction():
                for statement in _TABLES.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA application_id={_APPLICATION}")
                self._db.execute(f"PRAGMA user_version={_VERSION}")
        elif self.value("PRAGMA application_id") != _APPLICATION or self.value("PRAGMA quick_check(1)") != "ok":
            raise self._damaged()
        if self.value("SELECT count(*) FROM sqlite_master WHERE name IN ('destroyed', 'builds')") < 2:
            with self.transaction():
                for statement in _ADDED.split(";\n"):
                    self._db.execute(statement)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._explained():
            return self._db.execute(query, values).fetchall()

    def value(self, query: str, *values: object) -> Any:
        """Return the first column of the first row; None where there is none."""
        return next((row[0] for row in self.rows(query, *values)), None)

    def execute(self, statement: str, *values: object) -> sqlite3.Cursor:
        """Carry out a statement within a `transaction`."""
        return self._db.execute(statement, values)

    def execute_many(self, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
        """Carry out a statement for each row within a `transaction`."""
        self._db.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what happens inside count as a whole, and on disk, or not at all."""
        with self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                durable.step("before commit")
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        durable.step("after commit")

    def checkpoint(self) -> None:
        """Leave nothing in the write-ahead log."""
        self.rows("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Leave everything in one file."""
        try:
            self.checkpoint()
        finally:
            self._db.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            # SQLite's own words are not passed on: they may quote what was to be written.
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if isinstance(error, sqlite3.ProgrammingError) or code not in _ADVICE:
                raise
            raise OutputError(f"{self.path}: {_ADVICE[code]}") from None

    def _damaged(self) -> OutputError:
        return OutputError(f"{self.path}: {_ADVICE[sqlite3.SQLITE_CORRUPT]}")

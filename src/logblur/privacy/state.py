"""Test 5: does the private state keep what it should not: open permissions, keys and partials past their day, remains?

Read from the files as an attacker would, without opening the state as logblur does: nothing is changed or cleaned.
"""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from logblur import durable
from logblur.dataset.partials import SUFFIX
from logblur.periods import Period
from logblur.privacy.report import Result, verdict_of

_LEDGER: Final = "ledger.sqlite"
_KNOWN: Final = ("lock", "*.key", "keys", "keys/*.key", "partials", f"partials/*{SUFFIX}", f"{_LEDGER}*")
_HEADER: Final = 100  # bytes of an SQLite file before the first page's own header


def state_check(folder: Path, *, now: datetime | None = None) -> Result:
    """Fail where the state is open to others, or holds what should be gone.

    Args:
        folder: The state.
        now: The present time, UTC.

    Source:
        SQLite's file format: the free list begins at byte 32 of the header; a trunk page names its leaf pages.
    """
    bad = [*_open_to_others(folder), *_strays(folder)]
    ledger = folder / _LEDGER
    if ledger.exists():
        bad += [*_past_their_day(folder, ledger, now or datetime.now(UTC)), *_remains(ledger)]
    else:
        bad.append("there is no ledger: this is no state, or a part of one")
    files = sum(path.is_file() for path in folder.rglob("*"))
    return verdict_of("state", bad, f"{files:,} files: permissions, keys, partials, remains", {"files": files})


def _open_to_others(folder: Path) -> Iterator[str]:
    owner = folder.stat().st_uid
    for path in (folder, *sorted(folder.rglob("*"))):
        about = path.lstat()
        name = "the folder" if path == folder else str(path.relative_to(folder))
        if stat.S_ISLNK(about.st_mode):
            yield f"{name} is a link"
        elif about.st_mode & 0o077:
            yield f"{name} is open to others ({stat.S_IMODE(about.st_mode):04o})"
        elif about.st_uid != owner:
            yield f"{name} belongs to another user than the folder"


def _strays(folder: Path) -> Iterator[str]:
    """Yield what is none of the state's: what a killed run left, copies, notes, whatever else holds what it should."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.name.endswith(durable.TEMPORARY):
            yield f"{name} was left by a run that was killed; the next run removes it"
        elif not any(name.match(known) and len(name.parts) == known.count("/") + 1 for known in _KNOWN):
            yield f"{name.parent / name.name[:10]}…: no file of the state; it may hold what should be gone"


def _past_their_day(folder: Path, ledger: Path, now: datetime) -> Iterator[str]:
    try:
        db = sqlite3.connect(f"{ledger.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            days = db.execute("SELECT day, seal_after, first_arrival, sealed_at FROM days").fetchall()
            partials = {file for (file,) in db.execute("SELECT file FROM partials WHERE file IS NOT NULL")}
            meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
        finally:
            db.close()
    except sqlite3.DatabaseError:
        yield "the ledger cannot be read"
        return
    sealed = {day for day, *_, at in days if at is not None}
    known = {day for day, *_ in days}
    for key in sorted((folder / "keys").glob("*.key")):
        if key.stem in sealed:
            yield f"keys/{key.name}: the day is sealed, its key lives"
        elif key.stem not in known:
            yield f"keys/{key.name}: a key of no day"
    for day, seal_after, arrival, at in days:
        end = Period(meta.get("period", Period.DAY)).after(date.fromisoformat(day))
        midnight = datetime.combine(end, datetime.min.time(), ZoneInfo(meta.get("timezone", "UTC")))
        due = max(midnight.astimezone(UTC), datetime.fromtimestamp(arrival, UTC))
        if at is None and now >= due + timedelta(seconds=seal_after):
            yield f"{day} is past its day: seal it (logblur seal --all-due)"
    for path in sorted((folder / "partials").glob("*")):
        if path.name[:10] in sealed:
            yield f"partials/{path.name[:10]}…: the day is sealed, a partial lives"
        elif path.name not in partials or path.suffix != SUFFIX:
            yield f"partials/{path.name[:10]}…: no partial that counts"


def _remains(ledger: Path) -> Iterator[str]:
    """Yield what the database did not clean up behind itself."""
    for suffix in ("-wal", "-journal"):
        beside = ledger.with_name(ledger.name + suffix)
        if beside.exists() and beside.stat().st_size:
            yield f"{beside.name} holds {beside.stat().st_size:,} bytes: a run was killed, or goes on; run again"
    data = ledger.read_bytes()
    if len(data) < _HEADER:
        return
    size = int.from_bytes(data[16:18], "big")
    size = 65536 if size == 1 else size
    trunk, dirty, seen = int.from_bytes(data[32:36], "big"), 0, set[int]()
    while trunk and trunk not in seen:
        seen.add(trunk)
        page = data[(trunk - 1) * size : trunk * size]
        count = int.from_bytes(page[4:8], "big")
        leaves = [int.from_bytes(page[8 + 4 * k : 12 + 4 * k], "big") for k in range(min(count, size // 4 - 2))]
        dirty += any(page[8 + 4 * count :])
        dirty += sum(any(data[(leaf - 1) * size : leaf * size]) for leaf in leaves)
        trunk = int.from_bytes(page[:4], "big")
    if dirty:
        yield f"{dirty} free pages of the ledger still hold something"

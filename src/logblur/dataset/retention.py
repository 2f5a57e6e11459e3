"""The end of what is kept: published days past their retention go, and raw logs that say nothing new any more.

A day goes for good: the ledger marks it before the first file is removed, a kill in between is completed by the next
start, and lines of it that come later are late. Of what goes the ledger keeps a record, without names.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from logblur import durable
from logblur.dataset import manifest
from logblur.dataset.ledger import DayRecord
from logblur.dataset.seal import finish_seal
from logblur.dataset.state import State
from logblur.errors import OutputError
from logblur.policy import Policy
from logblur.policy.load import restore


def expired_days(state: State, now: datetime, policy: Policy | None) -> list[date]:
    """Return the days whose retention is over and that are still kept, ascending.

    Args:
        state: Its days.
        now: The present time.
        policy: The one at hand, if any. Of its retention and the one that a day opened with the shorter holds.
    """
    today = now.astimezone(ZoneInfo(state.ledger.meta("timezone") or "UTC")).date()

    def over(record: DayRecord) -> bool:
        policies = [restore(record.plan), *([policy] if policy else [])]
        return any(each.is_over(record.day, today) for each in policies)

    return [record.day for record in state.ledger.days() if not record.purged and over(record)]


def purge_days(state: State, days: Iterable[date], now: datetime) -> None:
    """Remove days from OUT, and from the state what is left of them; then finish what a killed run began.

    Raises:
        OutputError: A folder on the way is a link, which may lead anywhere: nothing is removed of that day.

    Privacy:
        Of a day that was still open the key dies too. What stays is that there was such a day: in the manifest, under
        ``purged``, and in the ledger.
    """
    for day in days:
        partitions(state, day)
        state.ledger.purge(day, now)
        durable.step("day marked as purged")
    for day in state.ledger.half_purged():
        finish_seal(state.ledger, state.keys, state.partials, day)
        for folder in partitions(state, day):
            _remove(folder)
        found, label = manifest.required(state.out), state.ledger.period.label(day)
        left = {name: entry for name, entry in found.days.items() if name != label}
        purged = tuple(sorted({*found.purged, label}))
        manifest.save(state.out, replace(found, days=left, purged=purged))
        state.ledger.mark_purged(day)


def partitions(state: State, day: date) -> list[Path]:
    """Return the folders of OUT that hold a day, of whatever table; none of them, nor one above, is a link."""
    with durable.explained(state.out):
        tables = [path for path in sorted(state.out.iterdir()) if path.name != manifest.PRIVATE]
        return [folder for table in tables for folder in _of_day(table, state.ledger.period.folder(day))]


def _of_day(table: Path, name: str) -> Iterator[Path]:
    folder = table / name
    if not folder.is_dir():
        return
    for path in (table, folder):
        if stat.S_ISLNK(path.lstat().st_mode):
            raise OutputError(f"{path}: it is a link, and purging follows none; put the folder itself there")
    yield folder


def _remove(folder: Path) -> None:
    """Remove a partition: its one file, then the folder. What else may be in it is not ours, and stays."""
    with durable.explained(folder):
        (folder / f"{folder.parent.name}.parquet").unlink(missing_ok=True)
        durable.step("file purged")
        with suppress(OSError):
            folder.rmdir()
    durable.sync_folder(folder.parent)

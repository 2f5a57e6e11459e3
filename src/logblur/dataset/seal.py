"""The end of a day: its key dies, and with it everything that could tie its numbers to a person.

The order is the promise: final publish synced, ledger row, key, partials. A kill before the ledger row leaves a day
that can still be published; a kill after it leaves one that is sealed, and the next start finishes what is left.
"""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from logblur import durable
from logblur.dataset.ledger import DUE, Ledger
from logblur.keys import DayKeys


def seal_day(ledger: Ledger, keys: DayKeys, partials: Path, day: date, *, now: datetime, reason: str = DUE) -> None:
    """Seal a day whose final tables are published.

    Args:
        ledger: Where the fact is recorded.
        keys: Where the day's key dies.
        partials: The folder where the day's partials are.
        day: A day without anything unpublished, or one that is sealed already.
        now: When.
        reason: Why, for the record.

    Privacy:
        Afterwards the state holds no token of the day, in no form, and none can be made again from the log.
    """
    record = ledger.day(day)
    if record is None or record.dirty or not record.published:
        raise ValueError(f"{day} is not published to its end")
    ledger.seal(day, now, reason)
    durable.step("sealed in the ledger")
    finish_seal(ledger, keys, partials, day)


def finish_seal(ledger: Ledger, keys: DayKeys, partials: Path, day: date) -> None:
    """Do what is left to do for a day that the ledger calls sealed; repeating it changes nothing."""
    keys.destroy(day)
    durable.step("key destroyed")
    names = ledger.partials(day)
    if not names:
        return
    with durable.explained(partials):
        for name in names:
            (partials / name).unlink(missing_ok=True)
    durable.sync_folder(partials)
    durable.step("partials deleted")
    ledger.forget_partials(day)

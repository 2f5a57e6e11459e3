"""What need not be kept any more: published days past their retention, and raw logs that are counted and sealed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from logblur.dataset.identity import FileStat
from logblur.dataset.retention import expired_days, partitions, purge_days
from logblur.dataset.state import State
from logblur.policy import Policy
from logblur.sources.find import Log


def purge_expired_days(state: State, policy: Policy | None, *, dry_run: bool = False) -> tuple[date, ...]:
    """Remove the days past their retention; return them.

    Args:
        state: The days.
        policy: The one at hand: its retention, where it is shorter than a day's own.
        dry_run: Remove nothing, but refuse what would be refused.
    """
    now = state.clock()
    days = expired_days(state, now, policy)
    if dry_run:
        for day in days:
            partitions(state, day)
    else:
        purge_days(state, days, now)
    return tuple(days)


def delete_logs(state: State, policy: Policy | None, logs: Sequence[Log], *, dry_run: bool = False) -> tuple[str, ...]:
    """Remove, of these logs, those that are counted and sealed, where the policy says so; return their names."""
    if policy is None or not policy.input.delete_logs:
        return ()
    return tuple(log.name for log in logs if _discard(state, log, dry_run=dry_run))


def _discard(state: State, log: Log, *, dry_run: bool) -> bool:
    from logblur.sources.discard import discard

    about = FileStat.of(log.path)
    if about is None or not state.ledger.is_settled(about):
        return False
    expected = about.size, about.mtime_ns, about.inode
    if not discard(log, expected, dry_run=True):
        return False
    if not dry_run:
        state.ledger.record_removal(state.clock(), about)
        return discard(log, expected)
    return True

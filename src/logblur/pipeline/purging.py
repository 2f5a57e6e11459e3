"""What need not be kept any more: published days past their retention, and raw logs that are counted and sealed."""

from __future__ import annotations

from collections.abc import Sequence

from logblur.dataset.identity import FileStat
from logblur.dataset.retention import expired_days, partitions, purge_days
from logblur.dataset.state import State
from logblur.policy import Policy
from logblur.sources.find import Log
from logblur.summary import Removed


def purge(state: State, policy: Policy | None, logs: Sequence[Log], *, dry_run: bool = False) -> Removed:
    """Remove what need not be kept any more; return what went, or what would go.

    Args:
        state: The days, and what is known of the logs.
        policy: The one at hand: its retention, where it is shorter than a day's own, and whether logs may be deleted.
        logs: The only ones that may be.
        dry_run: Remove nothing.
    """
    now = state.clock()
    days = [record.day for record in expired_days(state, now, policy.retention if policy else None)]
    if dry_run:
        for day in days:
            partitions(state, day)  # what would be refused
    else:
        purge_days(state, days, now)
    gone = [log.name for log in logs if _discard(state, log, dry_run=dry_run)] if _may_delete(policy) else []
    return Removed(tuple(days), tuple(gone))


def _may_delete(policy: Policy | None) -> bool:
    return policy is not None and policy.input.delete_logs


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

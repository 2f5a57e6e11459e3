"""Publishing: what counts in a day, merged, held against its thresholds, written to OUT. Nothing here knows of logs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from datetime import date
from typing import TYPE_CHECKING, Final

from logblur import stopping
from logblur.dataset import manifest
from logblur.dataset.ledger import DUE, DayRecord
from logblur.dataset.seal import seal_day
from logblur.dataset.state import State
from logblur.pipeline.days import plan_of
from logblur.summary import TableSummary

if TYPE_CHECKING:
    from logblur.aggregate import Released
    from logblur.policy.plan import Plan
    from logblur.schema import Partial


AT_ONCE: Final = 64 << 20
"""Bytes of partials on disk that are merged at once; in memory they take up to four times as much. A share of a day
that has more is half of it: beside it are the others' people."""


class Publishing:
    """The publishing half of one run.

    Attributes:
        tables: What was published so far, by table. A withheld table's count may tell of few people: it is not there.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.tables: dict[str, TableSummary] = {}

    def seal(self, records: Iterable[DayRecord], reason: str = DUE) -> list[date]:
        """Publish open days for the last time, and seal them for this reason; return them."""
        state, sealed = self._state, []
        for record in records:
            self._publish(record, self._released(record), final=True)
            seal_day(state.ledger, state.keys, state.partials, record.day, now=state.clock(), reason=reason)
            sealed.append(record.day)
        return sealed

    def publish_dirty_days(self, pool: Executor) -> None:
        """Publish every day in which something new counts, but those that publish once, when they are sealed.

        Args:
            pool: Merges days that together are small enough for memory, while others are written.
        """
        records = [record for record in self._state.ledger.dirty_days() if plan_of(record).publish == "open"]
        if records:
            import pyarrow as pa

            pa.default_memory_pool().release_unused()  # what the workers needed goes back to the system
        for days in self._together(records):
            if len(days) == 1:
                self._publish(days[0], self._released(days[0]), final=False)
                continue
            merged = [pool.submit(_release, self._state.read_partials(day.day), plan_of(day)) for day in days]
            try:
                for record, released in zip(days, merged, strict=True):
                    self._publish(record, released.result(), final=False)
            finally:  # a signal, a full disk: nobody waits for the rest
                for job in merged:
                    job.cancel()

    def _together(self, records: Sequence[DayRecord]) -> Iterator[list[DayRecord]]:
        """Yield the days, in their order, as many at once as may be merged at once; a larger one alone."""
        days: list[DayRecord] = []
        held = 0
        for record in records:
            size = self._state.size(record.day)
            if days and held + size > AT_ONCE:
                yield days
                days, held = [], 0
            days.append(record)
            held += size
        if days:
            yield days

    def finish(self) -> None:
        """Bring the manifest's counts of late and rejected lines up to date."""
        ledger = self._state.ledger
        late = {ledger.period.label(day): lines for day, lines in ledger.late().items()}
        manifest.update_counts(self._state.out, late=late, rejects=ledger.rejects())

    def _publish(self, record: DayRecord, released: Mapping[str, Released], *, final: bool) -> None:
        """Write what may be published of a day."""
        from logblur.dataset.publish import DayInfo, publish_day

        stopping.check()
        state, plan = self._state, plan_of(record)
        rolled_up = {name: table.rolled_up for name, table in released.items()}
        info = DayInfo(plan, record.key_id, final, rolled_up, state.ledger.builds(record.day))
        publish_day(state.out, record.day, {name: table.rows for name, table in released.items()}, info)
        state.ledger.mark_clean(record.day)
        for name, table in released.items():
            if table.rows.num_rows:
                old = self.tables.get(name, TableSummary())
                self.tables[name] = TableSummary(
                    old.days + 1,
                    old.rows + table.rows.num_rows,
                    old.requests + table.requests,
                    old.rolled_up + table.rolled_up,
                )

    def _released(self, record: DayRecord) -> dict[str, Released]:
        """Return what may be published of a day; share by share where its partials are too many for memory."""
        from logblur.aggregate import release_in_shares
        from logblur.dataset.partials import Spill

        stopping.check()
        state, plan, size = self._state, plan_of(record), self._state.size(record.day)
        if size <= AT_ONCE or "remote_addr" not in plan.visitor_from:  # then a visitor may be of several clients
            return _release(state.read_partials(record.day), plan)
        with Spill(state.partials, state.key(record), plan_digest=plan.digest, keys=state.key_source) as spill:
            shares = 2 * size // AT_ONCE + 1
            return release_in_shares(lambda: state.read_partials(record.day), plan.tables, shares, spill)


def _release(partials: Iterable[Partial], plan: Plan) -> dict[str, Released]:
    """Merge a day's partials and hold its tables against their thresholds."""
    from logblur.aggregate import merge, release

    return release(merge(list(partials)), plan.tables)

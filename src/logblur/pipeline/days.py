"""What a run knows of each day: by which Plan its lines are counted, under which key, or that it is closed."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import date, datetime

from logblur.dataset.ledger import DayRecord
from logblur.dataset.state import State
from logblur.keys import DayKey
from logblur.policy import Policy
from logblur.policy.load import encode, restore
from logblur.policy.plan import Plan
from logblur.policy.resolve import resolve


class Days:
    """The days of one run. An open day keeps the Plan it opened with; a new one takes the run's.

    Attributes:
        plan: The run's Plan.
        plans: That one, and each that an open day keeps; their digests differ.
        fields: The columns that these Plans need, sorted.
    """

    def __init__(self, state: State, policy: Policy, plan: Plan, started: datetime) -> None:
        self._state, self._policy, self.plan = state, policy, plan
        self._today = started.astimezone(plan.zone).date()
        self._records = {record.day: record for record in state.ledger.days()}
        kept = {record.plan_digest: record for record in self._records.values() if not record.sealed}
        plans = {digest: plan_of(record) for digest, record in kept.items()} | {plan.digest: plan}
        self.plans = tuple(plans.values())
        self.fields = sorted({name for each in self.plans for name in each.fields})
        self._keys: dict[date, DayKey] = {}
        self._lock = threading.Lock()

    def closed(self, day: date) -> bool:
        """Say whether lines of this day come too late: it is sealed, or its retention is over."""
        record = self._records.get(day)
        return self._policy.is_over(day, self._today) if record is None else record.sealed

    def token_key(self, plan: Plan, day: date) -> bytes:
        """Return the key for a day's tokens; nothing where the day is closed, or keeps another plan. Any thread may."""
        record = self._records.get(day)
        if self.closed(day) or (plan is not self.plan if record is None else record.plan_digest != plan.digest):
            return b""
        with self._lock:
            if day not in self._keys:
                keys = self._state.keys
                self._keys[day] = keys.get_or_create(day) if record is None else self._state.key(record)
            return self._keys[day].token_key

    def key(self, day: date) -> DayKey:
        """Return the key of a day whose `token_key` was given before."""
        return self._keys[day]

    def open(self, days: Collection[date]) -> None:
        """Leave these days open in the ledger, the new ones with the run's Plan, and what they are looked up in."""
        for day in sorted(set(days) - self._records.keys()):
            self._records[day] = self._state.ledger.open_day(
                day,
                plan_digest=self.plan.digest,
                plan=encode(self._policy),
                seal_after=self.plan.seal_after,
                key_id=self.key(day).id,
                arrival=self._state.clock(),
            )
        builds = {database.column: database.build for database in self.plan.databases}
        for day in days if builds else ():
            self._state.ledger.note_builds(day, builds)


def plan_of(record: DayRecord) -> Plan:
    """Return the Plan that a day keeps, with the digest it opened with: a later version may compute another."""
    return replace(resolve(restore(record.plan)), digest=record.plan_digest)

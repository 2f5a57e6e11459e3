"""The keys of one filter: those of days are random and die with it, the operator's were read when it began."""

from __future__ import annotations

import os
from datetime import date

from logblur.policy.plan import Plan
from logblur.protect.named import Secrets


class Keyring:
    """Gives the key for each field and day; none is ever written.

    Args:
        secrets: The operator's keys, by name.
    """

    __slots__ = ("_days", "secrets")

    def __init__(self, secrets: Secrets) -> None:
        self._days: dict[date, bytes] = {}
        self.secrets = secrets

    def of(self, plan: Plan, field: str, day: date) -> bytes:
        """Return the operator's key of a field, or 16 bytes that are the same for a day as long as this filter runs."""
        if field in plan.keys:
            return self.secrets[plan.keys[field].name]
        return self._days.setdefault(day, os.urandom(16))

    def __repr__(self) -> str:
        return "Keyring()"

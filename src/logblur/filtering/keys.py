"""The keys of one filter: those of days are random and die with it."""

from __future__ import annotations

import os
from datetime import date


class Keyring:
    """Gives the key for each day's pseudonyms; none is ever written."""

    __slots__ = ("_days",)

    def __init__(self) -> None:
        self._days: dict[date, bytes] = {}

    def of_day(self, day: date) -> bytes:
        """Return 16 bytes, the same for a day as long as this filter runs."""
        return self._days.setdefault(day, os.urandom(16))

    def __repr__(self) -> str:
        return "Keyring()"

"""What one key lives for and one file holds: a day, or an ISO week for sites whose days would publish nothing.

Everywhere else a period is known by its first day, and called a day.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from enum import StrEnum


class Period(StrEnum):
    """How long, as a policy says it."""

    DAY = "day"
    WEEK = "week"

    def first(self, day: date) -> date:
        """Return the first day of the period that a day is in: a week begins on Monday (ISO 8601)."""
        return day - timedelta(days=day.weekday() if self == Period.WEEK else 0)

    def after(self, first: date) -> date:
        """Return the first day behind the period that begins on ``first``."""
        return first + timedelta(days=7 if self == Period.WEEK else 1)

    def label(self, first: date) -> str:
        """Return what people call it: ``2026-05-17``, ``2026-W20``."""
        if self == Period.DAY:
            return first.isoformat()
        year, week, _ = first.isocalendar()
        return f"{year:04}-W{week:02}"

    @classmethod
    def of_folder(cls, name: str) -> tuple[Period, date]:
        """Return the period and its first day that `folder` gives this name; `ValueError` where it gives none."""
        column, _, label = name.partition("=")
        if column == "date" and re.fullmatch(r"\d{4}-\d\d-\d\d", label):
            return cls.DAY, date.fromisoformat(label)
        if column == "week" and re.fullmatch(r"\d{4}-W\d\d", label):
            return cls.WEEK, date.fromisocalendar(int(label[:4]), int(label[-2:]), 1)
        raise ValueError("no folder of a day or a week")

    def folder(self, first: date) -> str:
        """Return the name of its folder in OUT: ``date=2026-05-17``, ``week=2026-W20``."""
        return f"{'date' if self == Period.DAY else 'week'}={self.label(first)}"

"""Times of rows in the policy's zone: their days and hours, and where the step begins that they are in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from logblur.periods import Period
from logblur.protect import kernels

STEPS_US: Final = {"second": 1_000_000, "minute": 60_000_000}
"""Microseconds of the steps that records may say, by method: every zone shares them."""

QUARTER_US: Final = 900_000_000
"""Microseconds of a quarter of an hour: since 1970 zones change at its bounds alone."""

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class LocalTimes:
    """Times in a zone.

    Attributes:
        days: int32, first day of the period, in days since 1970, by row.
        hours: int8, by row.
        dates: The distinct days, ascending.
        numbers: int32, into ``dates``, by row.
    """

    days: npt.NDArray[np.int32]
    hours: npt.NDArray[np.int8]
    dates: list[date]
    numbers: npt.NDArray[np.int32]


def local_times(times: npt.NDArray[np.int64], zone: ZoneInfo, period: Period = Period.DAY) -> LocalTimes:
    """Return local day and hour of times (microseconds since 1970, UTC).

    Since 1970 zones change at quarters of an hour of UTC, so one answer holds for a whole quarter: the zone is asked
    once for each that occurs.
    """
    rows = len(times)
    found = LocalTimes(np.empty(rows, np.int32), np.empty(rows, np.int8), [], np.empty(rows, np.int32))
    if not rows:
        return found
    first = int(times.min()) // QUARTER_US
    present = np.zeros(int(times.max()) // QUARTER_US - first + 1, np.uint8)
    kernels.mark_quarters(times, first, present)
    day, hour = np.zeros(len(present), np.int32), np.zeros(len(present), np.int8)
    quarters = np.flatnonzero(present)
    for quarter in quarters.tolist():
        local = datetime.fromtimestamp((first + quarter) * QUARTER_US // 1_000_000, UTC).astimezone(zone)
        day[quarter], hour[quarter] = (period.first(local.date()) - _EPOCH).days, local.hour
    distinct, numbers = np.unique(day[quarters], return_inverse=True)
    number = np.zeros(len(present), np.int32)
    number[quarters] = numbers
    kernels.local_times(times, first, day, hour, number, found.days, found.hours, found.numbers)
    found.dates.extend(_EPOCH + timedelta(days=int(d)) for d in distinct)
    return found


def rounded(time: datetime, method: str) -> datetime:
    """Return the start of the second, minute, hour or day of a local time."""
    unit = ("second", "minute", "hour", "day").index(method)
    return time.replace(
        hour=time.hour if unit < 3 else 0,
        minute=time.minute if unit < 2 else 0,
        second=time.second if unit < 1 else 0,
        microsecond=0,
    )

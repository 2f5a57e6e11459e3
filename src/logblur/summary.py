"""What a run says of itself, while it goes on and at its end. Counts only: no value of a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from logblur.errors import LogblurError
from logblur.periods import Period


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes as stored; the total is None where a pipe is among the logs."""

    bytes_read: int
    bytes_total: int | None
    lines: int


@dataclass(frozen=True, slots=True)
class TableSummary:
    """What a run published of one table, on the days on which it has rows: requests in all, and in rolled-up rows."""

    days: int = 0
    rows: int = 0
    requests: int = 0
    rolled_up: int = 0


@dataclass(frozen=True, slots=True)
class Removed:
    """What went because it need not be kept any more: published days past their retention, and names of raw logs."""

    days: tuple[date, ...] = ()
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. Counts only: no value of a line.

    Attributes:
        lines: Lines read; ``rows + rejects + directives``.
        rows: Lines that fit.
        rejects: Lines that do not, by reason.
        directives: Blank lines and comments.
        nulled: Rows in which a method could not treat what stands in a field, so that it is ``(none)``, by field: a
            client that is no address, a host that can be no name, a referrer that is none of the web; and those whose
            client is an address that a database does not hold, by the column that it gives (``country``, ``asn``).
        late: Rows of days that are sealed, or past their retention; they count nowhere.
        waiting: Logs whose incomplete last line waits for its end.
        bytes_read: Stored bytes.
        seconds: Wall time.
        formats: Logs read, by format.
        tables: What was published, by table.
        period: What their days are.
        logs: Logs given; ``logs_known`` of them held nothing new.
        removed: What went, because its retention was over or, by the policy, because all of it is counted and sealed.
        errors: Of logs that failed; all others are counted.
    """

    lines: int
    rows: int
    rejects: Mapping[str, int]
    directives: int
    nulled: Mapping[str, int]
    late: int
    waiting: int
    bytes_read: int
    seconds: float
    formats: Mapping[str, int]
    tables: Mapping[str, TableSummary]
    period: Period
    logs: int
    logs_known: int
    removed: Removed
    errors: tuple[LogblurError, ...]

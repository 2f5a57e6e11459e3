"""What would be published under a policy: the main job, run into folders that are thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from logblur.dataset import manifest
from logblur.pipeline import run
from logblur.policy import Policy
from logblur.policy.model import Duration
from logblur.summary import Progress, Summary


@dataclass(frozen=True, slots=True)
class TableSimulated:
    """What would be published of one table.

    Attributes:
        rows: Published rows, over all days.
        days: Days with rows; ``withheld`` more would have none, because too few clients came.
        requests: Requests of the published rows.
        rolled_up: Those of them that would stand in a row with ``(other)``.
    """

    rows: int
    days: int
    withheld: int
    requests: int
    rolled_up: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a run would publish: the run's own summary, and each table."""

    summary: Summary
    tables: Mapping[str, TableSimulated]


def simulate(
    logs: Sequence[str],
    *,
    policy: Policy,
    workers: int | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    on_progress: Callable[[Progress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> Simulation:
    """Say what `pipeline.run` would publish and roll up of these logs, and leave nothing behind.

    A day that a policy publishes once, when it is sealed, is published here too: that is what would be seen in the end.

    Raises:
        As `pipeline.run`.

    Privacy:
        Returns counts. OUT and state lie in a folder that this user alone can enter and that is gone afterwards. The
        counts are not held against thresholds: they are for whoever holds the logs.
    """
    update = {
        "visitor": policy.visitor.model_copy(update={"publish": "open"}),
        "retention": Duration(9999, "year"),  # logs of any age show what a policy makes of them
        "input": policy.input.model_copy(update={"delete_logs": False}),
    }
    with tempfile.TemporaryDirectory(prefix="logblur-") as folder:
        out = Path(folder) / "out"
        summary = run(
            list(logs),
            out,
            policy=policy.model_copy(update=update),
            state=Path(folder) / "state",
            workers=workers,
            format=format,
            on_progress=on_progress,
            on_notice=on_notice,
        )
        days = manifest.required(out).days
    tables = {}
    for name, table in summary.tables.items():
        withheld = sum(day["tables"][name]["withheld"] for day in days.values())
        tables[name] = TableSimulated(table.rows, table.days, withheld, table.requests, table.rolled_up)
    return Simulation(summary, tables)

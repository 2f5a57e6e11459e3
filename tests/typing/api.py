"""Uses of the public API that must type-check under mypy --strict; never run."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

import logblur
from logblur.errors import InputError, LogblurError, OutputError, PolicyError
from logblur.pipeline import Progress, Summary, TableSummary
from logblur.policy import Policy


def count_and_say(logs: list[Path], out: Path) -> int:
    """Run with everything named; read the summary."""

    def bar(progress: Progress) -> None:
        total: int | None = progress.bytes_total
        print(progress.bytes_read, total, progress.lines)

    summary: Summary = logblur.run(
        logs,
        out,
        policy="strict",
        state=out.with_name("state"),
        workers=2,
        format="combined",
        on_progress=bar,
        clock=lambda: datetime.now(UTC),
        keys=lambda purpose, size: purpose.encode().ljust(size)[:size],
    )
    tables: dict[str, TableSummary] = dict(summary.tables)
    for error in summary.errors:
        known: LogblurError = error
        print(known, known.exit_code)
    rejected: int = sum(summary.rejects.values())
    return summary.rows + rejected + summary.directives + sum(table.rows for table in tables.values())


def with_least() -> Summary:
    """A name and a folder are enough; errors have one base."""
    try:
        return logblur.run("access.log", "out")
    except (PolicyError, InputError, OutputError) as error:
        code: int = error.exit_code
        raise SystemExit(code) from None


def pages_of(logs: str, day: date) -> pl.DataFrame:
    """A policy is loaded once and used twice; what is scanned is a lazy frame."""
    policy: Policy = logblur.load_policy(Path("mine.toml"))
    rows: pl.LazyFrame = logblur.scan([logs, "-"], policy=policy, format=None)
    version: str = logblur.__version__
    return rows.filter(pl.col("date") == day).select("path", pl.lit(version).alias("version")).collect()

"""Uses of the public API that must type-check; never run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import logblur
from logblur.errors import LogblurError
from logblur.policy import Policy
from logblur.summary import Progress, Summary, TableSummary

version: str = logblur.__version__

policy: Policy = logblur.load_policy("audience")
own: Policy = logblur.load_policy(Path("my.toml"))


def show(progress: Progress) -> None:
    """Take what a run says of itself."""
    print(progress.bytes_read, progress.bytes_total, progress.lines)


summary: Summary = logblur.run("access.log", "out")
again: Summary = logblur.run(
    ["a.log", Path("b.log.gz")],
    Path("out"),
    policy=policy,
    state=Path("state"),
    workers=2,
    format="combined",
    on_progress=show,
    on_notice=print,
    clock=lambda: datetime.now(UTC),
)
errors: tuple[LogblurError, ...] = summary.errors
pages: TableSummary = summary.tables["pages"]
share: float = pages.rolled_up / pages.requests

frame: pl.LazyFrame = logblur.scan("access.log", policy="records", format="combined")
rows: pl.DataFrame = frame.filter(pl.col("agent") == "human").select("date", "path").collect()

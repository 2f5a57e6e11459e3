"""``logblur run``: the main job."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import click

from logblur.cli.options import format_option, policy_option
from logblur.cli.words import nulled_lines, say

if TYPE_CHECKING:
    from logblur.summary import Progress, Summary

_MMAP_THRESHOLD: Final = -3  # of malloc.h
"""The option of mallopt(3); set once, the library no longer raises it by itself."""


@click.command(epilog="Example: logblur run sample_logs -o out")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@click.option("-o", "--out", required=True, metavar="OUT", help="The folder that the tables are written to.")
@policy_option
@format_option
@click.option(
    "--state", metavar="DIR", help="The private folder of keys and partial counts; by default one for each OUT."
)
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Threads that parse; by default one a core.")
@click.option(
    "--max-state",
    type=click.IntRange(min=1),
    metavar="MB",
    help="End with 5 before the counts of open days take more than this on disk; what fits is published.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but problems.")
@click.pass_context
def run(
    context: click.Context,
    *,
    logs: tuple[str, ...],
    out: str,
    policy: str,
    format_: str | None,
    state: str | None,
    workers: int | None,
    max_state: int | None,
    quiet: bool,
) -> None:
    """Count what is new in the logs and publish the tables of the policy as Parquet.

    LOG is a file (plain or compressed), a folder, a glob, or - for standard input. A log that was counted before is
    known by its content, also under another name: only what is new in it counts.
    """
    from logblur.pipeline import run as counted
    from logblur.policy import load_policy
    from logblur.policy.gaps import gaps

    _give_memory_back()
    loaded = load_policy(policy)
    with _bar(shown=sys.stderr.isatty() and not quiet) as on_progress:
        summary = counted(
            logs,
            out,
            policy=loaded,
            state=state,
            workers=workers,
            format=format_,
            max_state_bytes=None if max_state is None else max_state * 1_000_000,
            on_progress=on_progress,
            on_notice=None if quiet else say,
        )
    for line in () if quiet else summary_lines(summary):
        say(line)
    if (missing := gaps(loaded)) and not quiet:
        say(f"policy {loaded.name} lacks {', '.join(gap.key for gap in missing)}: its notice and record have gaps")
    for error in summary.errors:
        say(str(error))
    if summary.errors:
        context.exit(summary.errors[0].exit_code)


def _give_memory_back() -> None:
    """Let arrays of megabytes go back to the system when they are freed, where the C library is GNU's.

    Otherwise it keeps for each thread the most that a batch ever needed, in pieces: a fifth more on ten million lines.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, 4 << 20)


@contextmanager
def _bar(*, shown: bool) -> Iterator[Callable[[Progress], None] | None]:
    """Show a progress bar on stderr while the body runs; yield what moves it."""
    if not shown:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    lines = TextColumn("{task.fields[lines]:,} lines")
    with Bar(*columns, lines, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, lines=0)

        def move(progress: Progress) -> None:
            bar.update(task, completed=progress.bytes_read, total=progress.bytes_total, lines=progress.lines)

        yield move


def summary_lines(summary: Summary) -> list[str]:
    """Return what a run did, for people: a line for the whole, then what was refused, then the tables."""
    days = f"{summary.period}s"
    megabytes = summary.bytes_read / 1e6
    speed = megabytes / summary.seconds if summary.seconds else 0.0
    formats = ", ".join(f"{name} ({count:,})" for name, count in summary.formats.items())
    rejected = sum(summary.rejects.values())
    reasons = ", ".join(f"{reason} ({count:,})" for reason, count in summary.rejects.items())
    notes = {
        "blank lines or comments": summary.directives,
        "lines too late: their day is sealed, or past its retention": summary.late,
        "incomplete last lines, left for the next run": summary.waiting,
    }
    published = {name: table for name, table in summary.tables.items() if table.days}
    unpublished = (
        ["nothing is published: too few clients, or a policy that publishes a day once, when it is sealed"]
        if summary.rows > summary.late and summary.tables and not published
        else []
    )
    return [
        f"{summary.lines:,} lines, {megabytes:,.1f} MB, {summary.seconds:.2f} s, {speed:,.0f} MB/s",
        f"{summary.logs:,} logs, {summary.logs_known:,} with nothing new"
        + (f"; formats: {formats}" if formats else ""),
        f"{summary.rows:,} lines counted",
        *([f"{len(summary.removed.days):,} {days} past their retention are gone"] if summary.removed.days else []),
        *(f"{log} is gone: all of it is counted, and its days are sealed" for log in summary.removed.logs),
        *([f"{rejected:,} lines rejected: {reasons}"] if rejected else []),
        *(f"{value:,} {name}" for name, value in notes.items() if value),
        *nulled_lines(summary.nulled),
        *(
            f"table {name}: {table.rows:,} rows in {table.days:,} {days}, {table.requests:,} requests,"
            f" {table.rolled_up / table.requests if table.requests else 0:.1%} rolled up"
            for name, table in published.items()
        ),
        *unpublished,
    ]

"""The main job, from raw logs to published tables: wires the stages and runs the workers; holds no domain rule.

    sources -> parse -> classify -> protect -> aggregate -> dataset      reading: ingest, workers
                                               aggregate -> dataset      publishing

A log is read segment by segment. Workers pull blocks of a segment, parse them into columns, and turn what they have
into encrypted partials, one a day. When the segment is whole it is committed: only then does it count. At the end each
day that has something new is merged, held against its thresholds, and published. The two halves meet in the ledger
alone: what counts, and which days are dirty.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path

from logblur.dataset import manifest
from logblur.dataset.ledger import DUE
from logblur.dataset.state import open_state
from logblur.errors import PolicyError, UsageError
from logblur.formats import resolve_format
from logblur.keys import Clock, KeySource, system_keys
from logblur.pipeline import purging
from logblur.pipeline.days import Days
from logblur.pipeline.ingest import Ingest
from logblur.pipeline.publishing import Publishing
from logblur.policy import Policy, load_policy
from logblur.policy.resolve import resolve
from logblur.schema import Reason
from logblur.sources.find import find_logs
from logblur.summary import Progress, Removed, Summary, TableSummary


def now() -> datetime:
    """Return the present time, UTC."""
    return datetime.now(UTC)


def run(
    logs: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    policy: str | Path | Policy = "audience",
    state: str | Path | None = None,
    workers: int | None = None,
    format: str | None = None,  # noqa: A002 - the option's name
    max_state_bytes: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
    clock: Clock = now,
    keys: KeySource = system_keys,
) -> Summary:
    """Count what is new in these logs and publish the days it belongs to.

    Args:
        logs: Files, folders, globs, or ``-`` for standard input; plain, gz, zst, bz2 or xz.
        out: Where the tables go: ``OUT/<table>/date=YYYY-MM-DD/<table>.parquet``.
        policy: What becomes of each field and which tables are made; a file, a built-in name, or a loaded policy.
        state: The private folder of ledger, keys and partials; by default one that belongs to ``out``.
        workers: Threads that parse; by default one for each processor.
        format: Overrides the policy's ``[input] format``.
        max_state_bytes: What the counts of open days may take on disk. Before they take more, reading ends: nothing of
            that segment counts, what is counted is published, and `StateLimitError` is raised.
        on_progress: Called a few times a second.
        on_notice: Called with a line for people before something takes long.
        clock: Gives the present time, UTC.
        keys: Gives random bytes.

    Raises:
        PolicyError, FormatError: The policy cannot be carried out; nothing was read.
        InputError: A log named does not exist. What goes wrong *within* a log is in `Summary.errors`; that log counts
            nothing from the segment at fault on, the others do.
        OutputError, KeyMaterialError, LockedError: OUT or the state; what was published stays whole.

    Privacy:
        OUT holds rows of at least ``min_clients`` clients each, and nothing else that depends on a line. The state
        holds keyed tokens and protected values, encrypted under keys that die.

    Cost:
        Memory does not grow with the logs: a few blocks and at most `parser.MAX_ROWS` rows for each worker. What is
        merged at once is at most `publishing.AT_ONCE` of days (`aggregate.shares` says what is beside it). The state
        grows with the distinct (group, person) pairs of open days.
    """
    began = time.perf_counter()
    policy = policy if isinstance(policy, Policy) else load_policy(policy)
    plan = resolve(policy, format=format)
    if not plan.tables:
        raise PolicyError(
            "there is nothing to publish: this policy has no tables; use it with scan or filter", path="table"
        )
    if workers is not None and workers < 1:
        raise UsageError("workers: at least one")
    if plan.format != "auto":
        resolve_format(plan.format)
    found = find_logs([str(x) for x in ([logs] if isinstance(logs, str | Path) else logs)])
    workers = workers or _processors()
    with (
        open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened,
        ThreadPoolExecutor(workers) as pool,
    ):
        opened.ledger.pin_timezone(plan.zone)
        opened.ledger.pin_period(plan.period)
        publishing, started = Publishing(opened), opened.clock()
        expired = purging.purge_expired_days(opened, policy)  # first: what need not be kept is not published once more
        publishing.seal(opened.ledger.due_days(started))
        reading = Ingest(
            opened,
            Days(opened, policy, plan, started),
            found,
            pool,
            workers=workers,
            started=started,
            max_state_bytes=max_state_bytes,
            on_progress=on_progress,
            on_notice=on_notice,
        )
        reading.read()
        publishing.publish_dirty_days(pool)
        publishing.finish()
        removed = Removed(expired, purging.delete_logs(opened, policy, found))
        if reading.limit:
            raise reading.limit
    total = reading.total
    return Summary(
        lines=total.rows + total.directives + total.rejects.total(),
        rows=total.rows,
        rejects={Reason(code).text: count for code, count in sorted(total.rejects.items())},
        directives=total.directives,
        nulled=dict(sorted(total.nulled.items())),
        late=total.late.total(),
        waiting=reading.waiting,
        bytes_read=reading.bytes_read,
        seconds=time.perf_counter() - began,
        formats=dict(reading.formats),
        tables={table.name: TableSummary() for table in plan.tables} | publishing.tables,
        period=plan.period,
        logs=len(found),
        logs_known=reading.logs_known,
        removed=removed,
        errors=tuple(reading.errors),
    )


def seal(
    out: str | Path,
    *,
    state: str | Path | None = None,
    day: date | None = None,
    clock: Clock = now,
    keys: KeySource = system_keys,
) -> tuple[date, ...]:
    """Publish for the last time, and seal, every day that is due, or one day, due or not.

    Args:
        out: OUT, with what was published there.
        state: Its private folder; by default one that belongs to ``out``.
        day: Seal this day (or the week that it is in) alone, now. A line of it that comes later is late.
        clock: Gives the present time, UTC.
        keys: Gives random bytes.

    Returns:
        The days sealed, ascending, weeks by their first; a day that was sealed before is not among them.

    Raises:
        UsageError: Nothing counts in that day.
        OutputError, KeyMaterialError, LockedError: As `run`.

    Privacy:
        Of a sealed day no key, no token and no partial is left in the state, and none can be made again from a log.
    """
    manifest.required(Path(out))  # a new state would not help: it knows no day
    with open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened:
        record = opened.ledger.day(opened.ledger.period.first(day)) if day else None
        if day and record is None:
            raise UsageError(f"there is nothing to seal: no line of {day} was counted here")
        due = opened.ledger.due_days(clock()) if record is None else [] if record.sealed else [record]
        publishing = Publishing(opened)
        sealed = publishing.seal(due, reason="sealed on its own" if day else DUE)
        publishing.finish()
        return tuple(sealed)


def purge(
    out: str | Path,
    logs: Sequence[str | Path] = (),
    *,
    state: str | Path | None = None,
    policy: str | Path | Policy | None = None,
    dry_run: bool = False,
    clock: Clock = now,
    keys: KeySource = system_keys,
) -> Removed:
    """Remove published days past their retention and, where the policy says so, raw logs that are counted and sealed.

    Args:
        out: OUT, with what was published there.
        logs: The only raw logs that may go: files, folders, globs. One goes if every byte of it counts, each of its
            days is sealed, it is as it was when it was counted, no link leads to it, and no process writes to it.
        state: The private folder of ``out``.
        policy: Its retention holds where it is shorter than the one that a day opened with. Without ``[input]
            delete_logs`` in it no log goes.
        dry_run: Say what would go, and remove nothing.
        clock: Gives the present time, UTC.
        keys: Gives random bytes.

    Returns:
        What went, or would.

    Raises:
        InputError: A log named does not exist, or cannot be removed.
        OutputError, KeyMaterialError, LockedError: As `run`.
    """
    manifest.required(Path(out))
    loaded = policy if isinstance(policy, Policy) or policy is None else load_policy(policy)
    found = [log for log in find_logs([str(log) for log in logs], may_be_empty=True) if log.path]
    with open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened:
        expired = purging.purge_expired_days(opened, loaded, dry_run=dry_run)
        return Removed(expired, purging.delete_logs(opened, loaded, found, dry_run=dry_run))


def warm() -> None:
    """Compile every kernel of the main job, in every form that it takes, so that the next run starts at once."""
    import tempfile
    from itertools import product

    line = '%s - - [17/May/2026:10:05:%02d +0000] "GET /%s?b HTTP/1.1" 200 5 "https://a.example/" "%s"\n'
    addresses = [f"{k % 200 + 1}.{k}.2.1" for k in range(250)] + ["2001:db8::1", "-"]  # codes of one byte, and of two
    words = map("".join, product("abcdefghijklmnopqrstuvwxyz", repeat=4))  # codes of four
    with tempfile.TemporaryDirectory() as folder:
        log, head = Path(folder) / "log", Path(folder) / "head"
        lines = [
            line % (addresses[k % 252], k % 60, word, f"Agent/{k % 300}")
            for k, word in zip(range(40_000), words, strict=False)
        ]
        log.write_text("".join(lines))
        head.write_text("".join(lines[:300]).replace('"GET', '"POST', 5))  # too few: a leftover that absorbs a row
        for k, name in enumerate((log, head)):  # the second makes a day of two partials, which are merged
            run(name, Path(folder) / f"out{k}", state=Path(folder) / f"state{k}", workers=2)
        with head.open("a") as more:
            more.writelines(lines[-200:])
        run(head, Path(folder) / "out1", state=Path(folder) / "state1", workers=2)


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

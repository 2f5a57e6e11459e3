"""The main job, from raw logs to published tables: wires the stages and runs the workers; holds no domain rule.

    sources -> parse -> classify -> protect -> aggregate -> dataset

A log is read segment by segment. Workers pull blocks of a segment, parse them into columns, and turn what they have
into encrypted partials, one a day. When the segment is whole it is committed: only then does it count. At the end each
day that has something new is merged, held against its thresholds, and published.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from logblur.errors import InputError, LogblurError, PolicyError, UsageError
from logblur.keys import Clock, KeySource, system_keys
from logblur.policy import Policy, load_policy
from logblur.policy.plan import Plan
from logblur.policy.resolve import resolve
from logblur.schema import Parsed, Reason

_FUTURE: Final = timedelta(days=1)
"""A line dated later than this after the run's start is a reject."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Bytes as stored; the total is None where a pipe is among the logs."""

    bytes_read: int
    bytes_total: int | None
    lines: int


@dataclass(frozen=True, slots=True)
class TableSummary:
    """What a run published of one table: days and rows, requests in all, and requests in rolled-up rows."""

    days: int = 0
    rows: int = 0
    requests: int = 0
    rolled_up: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. Counts only: no value of a line.

    Attributes:
        lines: Lines read; ``rows + rejects + directives``.
        rows: Lines that fit.
        rejects: Lines that do not, by reason.
        directives: Blank lines and comments.
        no_address: Rows whose client field is no address.
        late: Rows of days that are sealed; they count nowhere.
        waiting: Logs whose incomplete last line waits for its end.
        bytes_read: Stored bytes.
        seconds: Wall time.
        formats: Logs read, by format.
        tables: What was published, by table.
        logs: Logs given; ``logs_known`` of them held nothing new.
        errors: Of logs that failed; all others are counted.
    """

    lines: int
    rows: int
    rejects: Mapping[str, int]
    directives: int
    no_address: int
    late: int
    waiting: int
    bytes_read: int
    seconds: float
    formats: Mapping[str, int]
    tables: Mapping[str, TableSummary]
    logs: int
    logs_known: int
    errors: tuple[LogblurError, ...]


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
    on_progress: Callable[[Progress], None] | None = None,
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
        on_progress: Called a few times a second.
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
        Memory does not grow with the logs: a few blocks and at most `parser.MAX_ROWS` rows for each worker, then one
        day's distinct (group, person) pairs.
    """
    from logblur.dataset import open_state
    from logblur.sources.find import find_logs

    began = time.perf_counter()
    policy = policy if isinstance(policy, Policy) else load_policy(policy)
    plan = resolve(policy, format=format)
    if not plan.tables:
        raise PolicyError("there is nothing to publish: this policy has no tables; use it with scan or filter", path="table")
    if workers is not None and workers < 1:
        raise UsageError("workers: at least one")
    found = find_logs([str(x) for x in ([logs] if isinstance(logs, str | Path) else logs)])
    with open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened, _fair_threads():
        opened.ledger.pin_timezone(plan.zone)
        job = _Run(opened, policy, plan, clock(), workers or len(os.sched_getaffinity(0)), on_progress)
        job.seal_due_days()
        for log in found:
            try:
                job.ingest(log)
            except (InputError, LogblurError) as error:
                if not isinstance(error, InputError) and error.exit_code != 2:
                    raise
                job.errors.append(error)
        job.publish_dirty_days()
        return job.summary(len(found), time.perf_counter() - began)


def warm() -> None:
    """Compile every kernel of the main job, so that the next run starts at once."""
    import tempfile

    line = b'192.0.2.%d - - [17/May/2026:10:05:03 +0000] "GET /a?b HTTP/1.1" 200 5 "https://a.example/" "Mozilla/5.0"\n'
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.write_bytes(b"".join(line % (k % 200) for k in range(5000)))
        run(log, Path(folder) / "out", state=Path(folder) / "state", workers=2)


@contextmanager
def _fair_threads() -> Iterator[None]:
    """Let a worker that returns from a kernel have the interpreter at once: the default makes it wait 5 ms."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@dataclass(slots=True)
class _Segment:
    """What the workers found in one segment; it counts when it is committed, or not at all."""

    rows: int = 0
    directives: int = 0
    no_address: int = 0
    rejects: Counter[int] = field(default_factory=Counter)
    late: Counter[date] = field(default_factory=Counter)
    partials: list[Any] = field(default_factory=list)

    @property
    def lines(self) -> int:
        return self.rows + self.directives + self.rejects.total()


class _Run:
    """One run: what its steps share."""

    def __init__(
        self,
        state: Any,
        policy: Policy,
        plan: Plan,
        started: datetime,
        workers: int,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        from logblur.classify import Memory

        self.state, self.policy, self.plan, self.started, self.workers = state, policy, plan, started, workers
        self.on_progress = on_progress
        self.days = {record.day: record for record in state.ledger.days()}
        self.plans = {plan.digest: plan}
        for record in self.days.values():
            if not record.sealed and record.plan_digest not in self.plans:
                self.plans[record.plan_digest] = resolve(Policy.model_validate_json(record.plan))
        self.fields = sorted({name for p in self.plans.values() for name in p.fields})
        self.memory = Memory()
        self.lock = threading.Lock()
        self.total = _Segment()
        self.bytes_read = self.logs_known = self.waiting = 0
        self.formats: Counter[str] = Counter()
        self.tables = {table.name: TableSummary() for table in plan.tables}
        self.errors: list[LogblurError] = []

    # Reading

    def ingest(self, log: Any) -> None:
        """Count what is new in one log, segment by segment."""
        from logblur.parse.detect import SAMPLE_BYTES, choose
        from logblur.sources.blocks import BlockReader
        from logblur.sources.open import open_log

        with open_log(log) as content:
            point = self.state.find(content)
            reader = BlockReader(content, start=point.offset)
            form = None
            while not reader.at_end:
                form = form or choose(content.head(SAMPLE_BYTES), self.plan.format)
                start = reader.offset
                segment = self._read_segment(reader, form)
                reader.next_segment()
                if reader.offset == start:
                    continue
                self._check_rejects(segment, log.name)
                point = self._commit(point, content, reader.offset, segment)
            self.bytes_read += reader.bytes_read
            self.waiting += reader.waiting
            if form is None:
                self.logs_known += 1
            else:
                self.formats[form.name] += 1

    def _read_segment(self, reader: Any, form: Any) -> _Segment:
        """Let the workers parse a segment; meanwhile classify the agents they come across."""
        segment, agents = _Segment(), queue.SimpleQueue[Any]()
        with ThreadPoolExecutor(self.workers) as pool:
            jobs: list[Future[None]] = [
                pool.submit(self._work, reader, form, segment, agents) for _ in range(self.workers)
            ]
            self._learn(jobs, agents, reader)
            for job in jobs:
                job.result()
        return segment

    def _work(self, reader: Any, form: Any, segment: _Segment, agents: queue.SimpleQueue[Any]) -> None:
        """Parse blocks until the segment ends; protect and aggregate whenever the parser is full, and at the end."""
        from logblur.parse import Parser

        latest = int((self.started + _FUTURE).timestamp()) * 1_000_000
        parser = Parser(form, self.fields, latest_us=latest)
        while (block := reader.read()) is not None:
            known = parser.distinct("user_agent")
            parser.feed(block)
            if parser.distinct("user_agent") > known:
                agents.put(parser.texts["user_agent"].array(known))
            if parser.full:
                self._settle(parser.take(), segment)
        self._settle(parser.take(), segment)

    def _settle(self, parsed: Parsed, segment: _Segment) -> None:
        """Turn parsed rows into partials on disk, each day by the Plan it opened with."""
        from logblur.aggregate import aggregate
        from logblur.classify import classify
        from logblur.protect import protect

        partials, late, no_address = [], Counter[date](), 0
        if parsed.rows:
            classified = classify(parsed.batch, site=self.plan.site, memory=self.memory)
            for plan in self.plans.values():
                columns = sorted({name for table in plan.tables for name in table.by})
                protected = protect(classified, plan, lambda day, plan=plan: self._token_key(day, plan), columns=columns)
                partials += [self.state.write_partial(p, plan.digest) for p in aggregate(protected, plan)]
                if plan is self.plan:
                    no_address = protected.no_address
                    late = Counter({d: n for d, n in protected.left_out.items() if self._sealed(d)})
        with self.lock:
            segment.rows += parsed.rows
            segment.directives += parsed.directives
            segment.rejects.update(parsed.reject_reasons.tolist())
            segment.no_address += no_address
            segment.late += late
            segment.partials += partials

    def _sealed(self, day: date) -> bool:
        return day in self.days and self.days[day].sealed

    def _token_key(self, day: date, plan: Plan) -> bytes:
        """Return the key for a day's tokens; nothing where the day is sealed, or another plan's."""
        record = self.days.get(day)
        if record is None:
            return self.state.keys.get_or_create(day).token_key if plan is self.plan else b""  # type: ignore[no-any-return]
        if record.sealed or record.plan_digest != plan.digest:
            return b""
        return self.state.keys.get(day).token_key  # type: ignore[no-any-return]

    def _learn(self, jobs: Sequence[Future[None]], agents: queue.SimpleQueue[Any], reader: Any) -> None:
        """Classify new agents while the workers read: the parser of agents holds the interpreter, kernels do not."""
        self.memory.warm()
        while not all(job.done() for job in jobs):
            try:
                self.memory.learn(agents.get(timeout=0.01).to_pylist())
            except queue.Empty:
                self._report(reader)

    def _report(self, reader: Any) -> None:
        if self.on_progress:
            self.on_progress(Progress(self.bytes_read + reader.bytes_read, None, self.total.lines))

    def _check_rejects(self, segment: _Segment, name: str) -> None:
        refused, lines = segment.rejects.total(), segment.rows + segment.rejects.total()
        if refused > self.plan.max_rejects * lines:
            why = ", ".join(f"{Reason(code).text} {n}" for code, n in segment.rejects.most_common())
            raise InputError(
                f"{refused} of {lines} lines do not fit the format ({why}); nothing from here on was counted: give the "
                "right --format, or raise max_rejects in the policy",
                source=name,
            )

    def _commit(self, point: Any, content: Any, offset: int, segment: _Segment) -> Any:
        """Make a segment count, with the days it opens."""
        after = self.state.commit(
            point, content, offset, segment.partials, segment.rejects, segment.late,
            plan=self.plan, policy_text=self.policy.model_dump_json(by_alias=True), arrival=self.started,
        )  # fmt: skip
        for partial in segment.partials:
            if partial.day not in self.days:
                self.days[partial.day] = self.state.ledger.day(partial.day)
        total = self.total
        total.rows += segment.rows
        total.directives += segment.directives
        total.no_address += segment.no_address
        total.rejects += segment.rejects
        total.late += segment.late
        return after

    # Publishing

    def seal_due_days(self) -> None:
        """Publish for the last time and seal every day that is due."""
        for record in self.state.ledger.due_days(self.started):
            self._publish(record)
            self.state.seal(record.day)
            self.days[record.day] = self.state.ledger.day(record.day)

    def publish_dirty_days(self) -> None:
        """Publish every day in which something new counts, but those that publish once, when they are sealed."""
        for record in self.state.ledger.dirty_days():
            if self.plans[record.plan_digest].publish == "open":
                self._publish(record)

    def _publish(self, record: Any) -> None:
        from logblur.aggregate import merge, release

        plan = self.plans[record.plan_digest]
        released = release(merge(list(self.state.read_partials(record.day))), plan.tables)
        self.state.publish(record.day, plan, released)
        for name, table in released.items():
            old = self.tables.get(name, TableSummary())
            self.tables[name] = TableSummary(
                old.days + 1, old.rows + table.rows.num_rows, old.requests + table.requests, old.rolled_up + table.rolled_up
            )

    def summary(self, logs: int, seconds: float) -> Summary:
        """Return what this run did."""
        total = self.total
        rejects = {Reason(code).text: count for code, count in sorted(total.rejects.items())}
        return Summary(
            total.lines, total.rows, rejects, total.directives, total.no_address, total.late.total(), self.waiting,
            self.bytes_read, seconds, dict(self.formats), dict(self.tables), logs, self.logs_known, tuple(self.errors),
        )  # fmt: skip

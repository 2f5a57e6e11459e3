"""The main job, from raw logs to published tables: wires the stages and runs the workers; holds no domain rule.

    sources -> parse -> classify -> protect -> aggregate -> dataset

A log is read segment by segment. Workers pull blocks of a segment, parse them into columns, and turn what they have
into encrypted partials, one a day. When the segment is whole it is committed: only then does it count. At the end each
day that has something new is merged, held against its thresholds, and published.
"""

from __future__ import annotations

import functools
import os
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from logblur.dataset import manifest
from logblur.dataset.identity import HEAD_SIZE, FileStat
from logblur.dataset.ledger import NEW_LOG, DayRecord, LogRecord
from logblur.dataset.seal import seal_day
from logblur.dataset.state import State, open_state
from logblur.errors import FormatError, InputError, LogblurError, PolicyError, UsageError
from logblur.formats import Format, resolve_format
from logblur.keys import Clock, DayKey, KeySource, system_keys
from logblur.policy import Policy, load_policy
from logblur.policy.load import encode, restore
from logblur.policy.plan import Plan
from logblur.policy.resolve import resolve
from logblur.schema import Block, Parsed, Protected, Reason
from logblur.sources.find import Log, find_logs
from logblur.summary import Progress, Summary, TableSummary

if TYPE_CHECKING:  # a run with nothing new needs none of these
    import pyarrow as pa

    from logblur.aggregate import Released
    from logblur.dataset.partials import PartialFile
    from logblur.protect.door import TokenKeys
    from logblur.sources.blocks import BlockReader
    from logblur.sources.open import LogContent

_FUTURE: Final = timedelta(days=1)
"""A line dated later than this after the run's start is a reject."""


_LEARN_AT_ONCE: Final = 256
"""New user agents that a worker collects before it hands them over."""

_FEW_BYTES: Final = 16 << 10

_Agents = queue.SimpleQueue["pa.Array"]


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
        Memory does not grow with the logs: a few blocks and at most `parser.MAX_ROWS` rows for each worker, then one
        day's distinct (group, person) pairs.
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
        ThreadPoolExecutor(workers + 1) as pool,
    ):
        opened.ledger.pin_timezone(plan.zone)
        job = _Run(opened, policy, plan, workers, pool, found, on_progress, on_notice)
        job.seal_due_days()
        for log in found:
            try:
                job.ingest(log)
            except (InputError, FormatError) as error:
                job.errors.append(error)
        job.publish_dirty_days()
        return job.summary(time.perf_counter() - began)


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
        day: Seal this day alone, now. A line of it that comes later is late.
        clock: Gives the present time, UTC.
        keys: Gives random bytes.

    Returns:
        The days sealed, ascending; a day that was sealed before is not among them.

    Raises:
        UsageError: Nothing counts in that day.
        OutputError, KeyMaterialError, LockedError: As `run`.

    Privacy:
        Of a sealed day no key, no token and no partial is left in the state, and none can be made again from a log.
    """
    manifest.required(Path(out))  # a new state would not help: it knows no day
    with open_state(Path(out), None if state is None else Path(state), clock=clock, keys=keys) as opened:
        ledger, moment = opened.ledger, clock()
        record = ledger.day(day) if day else None
        if day and record is None:
            raise UsageError(f"there is nothing to seal: no line of {day} was counted here")
        due = ledger.due_days(moment) if record is None else [] if record.sealed else [record]
        for one in due:
            _publish(opened, _plan_of(one), one, final=True)
            seal_day(ledger, opened.keys, opened.partials, one.day, now=moment)
        manifest.update_counts(opened.out, late=ledger.late(), rejects=ledger.rejects())
        return tuple(one.day for one in due)


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
        head.write_text("".join(lines[:300]))
        for k, name in enumerate((log, head)):  # the second makes a day of two partials, which are merged
            run(name, Path(folder) / f"out{k}", state=Path(folder) / f"state{k}", workers=2)
        with head.open("a") as more:
            more.writelines(lines[-200:])
        run(head, Path(folder) / "out1", state=Path(folder) / "state1", workers=2)


@dataclass(slots=True)
class _Segment:
    """What the workers found in one segment; it counts when it is committed, or not at all."""

    rows: int = 0
    directives: int = 0
    no_address: int = 0
    rejects: Counter[int] = field(default_factory=Counter)
    late: Counter[date] = field(default_factory=Counter)
    partials: list[PartialFile] = field(default_factory=list)

    def add(self, other: _Segment) -> None:
        self.rows += other.rows
        self.directives += other.directives
        self.no_address += other.no_address
        self.rejects += other.rejects
        self.late += other.late
        self.partials += other.partials


class _Run:
    """One run: what its steps share."""

    def __init__(
        self,
        state: State,
        policy: Policy,
        plan: Plan,
        workers: int,
        pool: ThreadPoolExecutor,
        logs: Sequence[Log],
        on_progress: Callable[[Progress], None] | None,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        from logblur.classify import Memory
        from logblur.protect import Templates

        self.state, self.policy, self.plan, self.workers, self.pool = state, policy, plan, workers, pool
        self.logs, self.on_progress, self.on_notice = logs, on_progress, on_notice
        self.started = state.clock()
        self.latest_us = int((self.started + _FUTURE).timestamp()) * 1_000_000
        self.days = {record.day: record for record in state.ledger.days()}
        open_days = [record for record in self.days.values() if not record.sealed]
        self.plans = {record.plan_digest: _plan_of(record) for record in open_days} | {plan.digest: plan}
        self.keys: dict[date, DayKey] = {}
        self.fields = sorted({name for p in self.plans.values() for name in p.fields})
        self.memory, self.templates = Memory(), Templates()
        self.warm: Future[None] | None = None
        self.rehearsed = False
        self.lock = threading.Lock()
        self.total = _Segment()
        self.bytes_read = self.logs_known = self.waiting = 0
        sizes = [stat.size if (stat := _stat(log)) else None for log in logs] if on_progress else []
        self.bytes_total = None if None in sizes else sum(filter(None, sizes))
        self.formats: Counter[str] = Counter()
        self.tables = {table.name: TableSummary() for table in plan.tables}
        self.errors: list[LogblurError] = []

    # Reading

    def ingest(self, log: Log) -> None:
        """Count what is new in one log, segment by segment."""
        stat = _stat(log)
        if stat and self.state.ledger.unchanged(stat):
            self.logs_known += 1
            return
        from logblur.sources.blocks import BlockReader
        from logblur.sources.open import open_log

        with open_log(log) as content:
            head = content.head(HEAD_SIZE) if content.rereadable else b""
            point = self.state.ledger.find(content) if content.rereadable else NEW_LOG
            reader = BlockReader(content, start=point.offset)
            form = None
            while not reader.at_end and (block := reader.read()):
                self.warm = self.warm or self.pool.submit(self.memory.warm)  # while this thread imports Numba
                form = form or self._format(content, block)
                segment = self._read_segment(reader, form, block)
                self._check_rejects(segment, log.name)
                point = self._commit(point, content, head, reader, segment)
                reader.next_segment()
            self.bytes_read += reader.bytes_read
            self.waiting += reader.waiting
        if form is None:
            self.logs_known += 1
        else:
            self.formats[form.name] += 1
        if stat:
            self.state.ledger.remember([stat])

    def _format(self, content: LogContent, block: Block) -> Format:
        """Return the format of a log, told by its head; a pipe has none but its first block."""
        from logblur import jit
        from logblur.parse.detect import SAMPLE_BYTES, choose
        from logblur.sources.blocks import sample

        if self.on_notice and (notice := jit.notice()):
            self.on_notice(notice)
            self.on_notice = None
        try:
            form = choose(sample(content, block, SAMPLE_BYTES), self.plan.format)
        except FormatError as error:
            raise FormatError(f"{content.log.name}: {error}") from None
        if (field := self.plan.client.field) not in form.columns:
            raise FormatError(
                f"{content.log.name}: the format logs no client address ({field}): clients cannot be told apart and "
                "nothing could be published; if another field holds it, name it as client_address in [input]"
            )
        return form

    def _read_segment(self, reader: BlockReader, form: Format, first: Block) -> _Segment:
        """Let the workers parse a segment; meanwhile classify the agents they come across."""
        pending, agents = [first], _Agents()

        def pull() -> Block | None:
            try:
                return pending.pop()
            except IndexError:
                return reader.read()

        try:
            jobs = [self.pool.submit(self._work, pull, form, agents) for _ in range(self.workers)]
            self._rehearse(form, first)
            self._learn(jobs, agents, reader)
            segment = _Segment()
            for job in jobs:
                segment.add(job.result())
        except BaseException:  # a signal too: workers that wait for a pipe would keep the run alive
            reader.stop()
            raise
        return segment

    def _work(self, pull: Callable[[], Block | None], form: Format, agents: _Agents) -> _Segment:
        """Parse blocks until the segment ends; settle whenever the parser is full, and at the end."""
        from logblur.parse import Parser

        parser = Parser(form, self.fields, latest_us=self.latest_us, local=self.plan.log_zone)
        segment, known = _Segment(), 0
        while (block := pull()) is not None:
            parser.feed(block)
            if parser.distinct("user_agent") >= known + _LEARN_AT_ONCE:
                agents.put(parser.texts["user_agent"].array(known))
                known = parser.distinct("user_agent")
            if parser.full:
                segment.add(self._settle(parser.take()))
                known = 0
        segment.add(self._settle(parser.take()))
        return segment

    def _settle(self, parsed: Parsed) -> _Segment:
        """Turn parsed rows into partials on disk, each day by the Plan it opened with."""
        from logblur.aggregate import aggregate
        from logblur.dataset.partials import write_partial

        found = _Segment(parsed.rows, parsed.directives, rejects=Counter(parsed.reject_reasons.tolist()))
        if not parsed.rows:
            return found
        protected = [
            (plan, self._protect(parsed.batch, plan, functools.partial(self._token_key, plan)))
            for plan in self.plans.values()
        ]
        del parsed  # what is raw goes before the next step asks for memory
        for plan, rows in protected:
            for partial in aggregate(rows, plan):
                folder, key = self.state.partials, self.keys[partial.day]
                file = write_partial(folder, partial, key, plan_digest=plan.digest, keys=self.state.key_source)
                found.partials.append(file)
            if plan is self.plan:
                found.no_address = rows.no_address
                found.late = Counter({day: n for day, n in rows.left_out.items() if self._sealed(day)})
        return found

    def _protect(self, batch: pa.RecordBatch, plan: Plan, token_key: TokenKeys) -> Protected:
        from logblur.classify import classify
        from logblur.protect import protect

        assert self.warm is not None
        self.warm.result()  # the rules for user agents are compiled once, by whoever was asked first
        named = batch.select([name for name in batch.schema.names if name in plan.fields])  # another plan's are not its
        classified = classify(named, site=plan.site, memory=self.memory)
        columns = sorted({name for table in plan.tables for name in table.by})
        return protect(classified, plan, token_key, columns=columns, templates=self.templates)

    def _sealed(self, day: date) -> bool:
        return day in self.days and self.days[day].sealed

    def _token_key(self, plan: Plan, day: date) -> bytes:
        """Return the key for a day's tokens; nothing where the day is sealed, or keeps another plan."""
        record = self.days.get(day)
        if plan is not self.plan if record is None else record.sealed or record.plan_digest != plan.digest:
            return b""
        with self.lock:
            if day not in self.keys:
                self.keys[day] = self.state.keys.get_or_create(day) if record is None else self.state.key(record)
            return self.keys[day].token_key

    def _rehearse(self, form: Format, first: Block) -> None:
        """Take a few lines through every step to come, so that libraries and kernels are loaded while workers read."""
        if self.rehearsed:
            return
        self.rehearsed = True
        from logblur.aggregate import aggregate, merge, release
        from logblur.dataset import publish  # noqa: F401 - loaded here, needed at the end
        from logblur.parse import Parser

        parser = Parser(form, self.fields, latest_us=self.latest_us, local=self.plan.log_zone)
        parser.feed(Block.of(first.data[: min(first.size, _FEW_BYTES)].tobytes()))
        rows = self._protect(parser.take().batch, self.plan, lambda _: bytes(range(16)))
        for partial in aggregate(rows, self.plan):
            release(merge([partial, partial]), self.plan.tables)

    def _learn(self, jobs: Sequence[Future[_Segment]], agents: _Agents, reader: BlockReader) -> None:
        """Classify new agents while the workers read: their parser holds the interpreter, kernels do not."""
        while not all(job.done() for job in jobs):
            try:
                self.memory.learn(agents.get(timeout=0.01).drop_null().to_pylist())
            except queue.Empty:
                self._report(reader)

    def _report(self, reader: BlockReader) -> None:
        if self.on_progress:
            self.on_progress(Progress(self.bytes_read + reader.bytes_read, self.bytes_total, self.total.rows))

    def _check_rejects(self, segment: _Segment, name: str) -> None:
        refused, lines = segment.rejects.total(), segment.rows + segment.rejects.total()
        if refused > self.plan.max_rejects * lines:
            why = ", ".join(f"{Reason(code).text} {n}" for code, n in segment.rejects.most_common())
            raise InputError(
                f"{refused} of {lines} lines do not fit the format ({why}); nothing from here on was counted: give the "
                "right --format, or raise max_rejects in the policy",
                source=name,
            )

    def _commit(
        self, point: LogRecord, content: LogContent, began: bytes, reader: BlockReader, segment: _Segment
    ) -> LogRecord:
        """Make a segment count, with the days it opens."""
        ledger, plan = self.state.ledger, self.plan
        for day in sorted({partial.day for partial in segment.partials} - self.days.keys()):
            self.days[day] = ledger.open_day(
                day,
                plan_digest=plan.digest,
                plan=encode(self.policy),
                seal_after=plan.seal_after,
                key_id=self.keys[day].id,
                arrival=self.started,
            )
        if content.rereadable:
            head, tail = content.head(HEAD_SIZE), reader.tail
            if not head.startswith(began) or len(head) < min(HEAD_SIZE, reader.offset):  # copytruncate, say
                raise InputError("was emptied or replaced while it was read; run again", source=content.log.name)
        else:  # what came through a pipe cannot come again: a log of its own
            head = tail = self.state.key_source("standard input", 32)
        after = ledger.commit(
            point,
            head=head,
            tail=tail,
            new_offset=reader.offset,
            partials=segment.partials,
            rejects=segment.rejects,
            late=segment.late,
        )
        if after is None:
            return ledger.find(content)
        self.total.add(segment)
        return after

    # Publishing

    def seal_due_days(self) -> None:
        """Publish for the last time, and seal, every day that is due."""
        for record in self.state.ledger.due_days(self.started):
            self._publish(record, final=True)
            seal_day(self.state.ledger, self.state.keys, self.state.partials, record.day, now=self.started)
            self.days[record.day] = replace(record, sealed=True)

    def publish_dirty_days(self) -> None:
        """Publish every day in which something new counts, but those that publish once, when they are sealed."""
        for record in self.state.ledger.dirty_days():
            if self.plans[record.plan_digest].publish == "open":
                self._publish(record, final=False)
        ledger = self.state.ledger
        manifest.update_counts(self.state.out, late=ledger.late(), rejects=ledger.rejects())

    def _publish(self, record: DayRecord, *, final: bool) -> None:
        """Publish a day, and note what was."""
        for name, table in _publish(self.state, self.plans[record.plan_digest], record, final=final).items():
            if table.rows.num_rows:  # a withheld table's count may tell of few people: it is shown nowhere
                old = self.tables.get(name, TableSummary())
                self.tables[name] = TableSummary(
                    old.days + 1,
                    old.rows + table.rows.num_rows,
                    old.requests + table.requests,
                    old.rolled_up + table.rolled_up,
                )

    def summary(self, seconds: float) -> Summary:
        """Return what this run did."""
        total = self.total
        rejects = {Reason(code).text: count for code, count in sorted(total.rejects.items())}
        return Summary(
            lines=total.rows + total.directives + total.rejects.total(),
            rows=total.rows,
            rejects=rejects,
            directives=total.directives,
            no_address=total.no_address,
            late=total.late.total(),
            waiting=self.waiting,
            bytes_read=self.bytes_read,
            seconds=seconds,
            formats=dict(self.formats),
            tables=dict(self.tables),
            logs=len(self.logs),
            logs_known=self.logs_known,
            errors=tuple(self.errors),
        )


def _publish(state: State, plan: Plan, record: DayRecord, *, final: bool) -> Mapping[str, Released]:
    """Merge a day's partials, hold its tables against their thresholds, and write them."""
    from logblur.aggregate import merge, release
    from logblur.dataset.publish import DayInfo, publish_day

    released = release(merge(list(state.read_partials(record.day))), plan.tables)
    rolled_up = {name: table.rolled_up for name, table in released.items()}
    info = DayInfo(plan, record.key_id, final, rolled_up)
    publish_day(state.out, record.day, {name: table.rows for name, table in released.items()}, info)
    state.ledger.mark_clean(record.day)
    return released


def _plan_of(record: DayRecord) -> Plan:
    """Return the Plan that a day keeps, with the digest it opened with: a later version may compute another."""
    return replace(resolve(restore(record.plan)), digest=record.plan_digest)


def _stat(log: Log) -> FileStat | None:
    """Return what the system says of a log's file; None for a pipe or what cannot be asked."""
    if log.path is None:
        return None
    try:
        about = log.path.stat()
    except OSError:
        return None
    name = os.fspath(log.path.absolute())
    return FileStat(name, about.st_size, about.st_mtime_ns, about.st_ino) if S_ISREG(about.st_mode) else None


def _processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

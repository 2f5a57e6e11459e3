"""The threads that turn the blocks of a segment into partials on disk: parse -> classify -> protect -> aggregate.

What is theirs counts for nothing until the segment is committed (`pipeline.ingest`). Nothing here knows of logs, of
what was counted before, or of OUT.
"""

from __future__ import annotations

import functools
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from logblur import stopping
from logblur.dataset.state import State
from logblur.errors import StateLimitError
from logblur.formats import Format
from logblur.pipeline.days import Days
from logblur.policy.plan import Plan
from logblur.schema import Block, Protected

if TYPE_CHECKING:  # a run with nothing new needs none of these
    import pyarrow as pa

    from logblur.classify import Memory
    from logblur.dataset.partials import PartialFile
    from logblur.growing import Grown
    from logblur.parse import Parser
    from logblur.protect import Templates
    from logblur.protect.door import TokenKeys
    from logblur.sources.blocks import BlockReader

_FUTURE: Final = timedelta(days=1)
"""A line dated later than this after the run's start is a reject."""

_LEARN_AT_ONCE: Final = 256
"""New texts of a column that a worker collects before it hands them over."""

_PATIENCE: Final = 0.1
"""Seconds between two looks whether to stop."""

_DESCRIBED: Final = ("user_agent", "referer_host")
"""Columns of which each text is looked at by rules of its own, see `classify.Memory.learn`."""

_FEW_BYTES: Final = 16 << 10

_Texts = queue.SimpleQueue["tuple[str, pa.Array] | None"]


@dataclass(slots=True)
class Segment:
    """What was found in one segment; it counts when it is committed, or not at all."""

    rows: int = 0
    directives: int = 0
    nulled: Counter[str] = field(default_factory=Counter)
    rejects: Counter[int] = field(default_factory=Counter)
    late: Counter[date] = field(default_factory=Counter)
    partials: list[PartialFile] = field(default_factory=list)

    def add(self, other: Segment) -> None:
        """Take in what was found elsewhere."""
        self.rows += other.rows
        self.directives += other.directives
        self.nulled += other.nulled
        self.rejects += other.rejects
        self.late += other.late
        self.partials += other.partials


class Worker:
    """What one worker has of its own: a parser, whose dictionaries last, and what is made of them.

    Attributes:
        form: The format of its parser.
        parser: As it was left: the next segment goes on with its dictionaries.
        grown: What is made of their texts.
    """

    __slots__ = ("_handed_over", "form", "grown", "parser")

    def __init__(self, form: Format, parser: Parser) -> None:
        from logblur.growing import Grown

        self.form, self.parser, self.grown = form, parser, Grown()
        self._handed_over: dict[str, int] = {}

    def new_texts(self) -> Iterator[tuple[str, pa.Array]]:
        """Yield the texts of columns that are described which turned up since the last call, where they are many."""
        for name in _DESCRIBED:
            distinct, known = self.parser.distinct(name), self._handed_over.get(name, 0)
            known = known if known <= distinct else 0  # dictionaries began anew
            if distinct >= known + _LEARN_AT_ONCE:
                self._handed_over[name] = distinct
                yield name, self.parser.texts[name].array(known)

    def __repr__(self) -> str:
        return f"Worker({self.form.name})"


class Workers:
    """The workers of one run, and what they have learnt.

    Args:
        state: Where partials go.
        days: By which Plan and key each day's lines are counted.
        pool: Has as many threads as there are workers: each keeps the memory that it once needed.
        count: How many workers.
        started: When the run began.
        room: Bytes that partials may still take on disk; None for any number.
    """

    def __init__(
        self,
        state: State,
        days: Days,
        pool: ThreadPoolExecutor,
        count: int,
        started: datetime,
        room: int | None,
    ) -> None:
        from logblur.classify import Apart

        self._state, self._days, self._pool, self._count = state, days, pool, count
        self._latest_us = int((started + _FUTURE).timestamp()) * 1_000_000
        self._learnt: Future[tuple[Memory, Templates]] = Future()
        self._apart = Apart() if count > 1 else None  # first of all: it gets ready while this process does
        self._learner = ThreadPoolExecutor(1)
        self._idle: list[Worker] = []
        self._room = room
        self._lock = threading.Lock()

    def close(self) -> None:
        """End what was started for the workers."""
        self._learner.shutdown()
        if self._apart is not None:
            self._apart.close()

    def read_segment(
        self, reader: BlockReader, form: Format, first: Block, report: Callable[[BlockReader], None]
    ) -> Segment:
        """Parse a segment to its end; meanwhile describe the texts that turn up.

        Args:
            reader: Gives its blocks.
            form: The log's format.
            first: Its first block, read already.
            report: Called now and then.
        """
        pending, texts = [first], _Texts()

        def pull() -> Block | None:
            try:
                return pending.pop()
            except IndexError:
                return reader.read()

        try:
            count = 1 if reader.at_end else self._count
            jobs = [self._pool.submit(self._work, pull, form, texts) for _ in range(count)]
            learning = self._learner.submit(self._learn, texts)
            self._get_ready(form, first)
            while wait(jobs, _PATIENCE).not_done:
                stopping.check()
                report(reader)
            segment = Segment()
            for job in jobs:
                segment.add(job.result())
        except BaseException as error:  # a signal too: workers would read on to the end of the segment
            reader.stop()
            if not self._learnt.done():  # nobody waits for ever
                self._learnt.set_exception(error)
            raise
        finally:
            with suppress(queue.Empty):  # what was not described by now was, or need not be
                while True:
                    texts.get_nowait()
            texts.put(None)
        learning.result()
        return segment

    def _learn(self, texts: _Texts) -> None:
        """Describe new texts, so that workers need not wait for it when they settle."""
        memory, _ = self._learnt.result()
        while (new := texts.get()) is not None:
            name, array = new
            memory.learn(name, array.drop_null().to_pylist())

    def _work(self, pull: Callable[[], Block | None], form: Format, texts: _Texts) -> Segment:
        """Parse blocks until the segment ends; settle whenever the parser is full, and at the end."""
        worker = self._worker(form)
        segment = Segment()
        while (block := pull()) is not None:
            worker.parser.feed(block)
            for new in worker.new_texts():
                texts.put(new)
            if worker.parser.full:
                segment.add(self._settle(worker))
        segment.add(self._settle(worker))
        with self._lock:
            self._idle.append(worker)
        return segment

    def _worker(self, form: Format) -> Worker:
        """Return a worker for this format: one that is idle goes on with what it knows, of another format none does."""
        with self._lock:
            self._idle = [worker for worker in self._idle if worker.form == form]
            if self._idle:
                return self._idle.pop()
        return self._new_worker(form)

    def _new_worker(self, form: Format) -> Worker:
        from logblur.parse import Parser

        plan = self._days.plan
        parser = Parser(
            form,
            self._days.fields,
            latest_us=self._latest_us,
            max_line_bytes=plan.max_line_bytes,
            local=plan.log_zone,
            lasting=True,
        )
        return Worker(form, parser)

    def _settle(self, worker: Worker) -> Segment:
        """Turn what a worker has parsed into partials on disk, each day by the Plan it opened with."""
        from logblur.aggregate import aggregate
        from logblur.dataset.partials import write_partial

        state, days, parsed = self._state, self._days, worker.parser.take()
        found = Segment(parsed.rows, parsed.directives, rejects=Counter(parsed.reject_reasons.tolist()))
        if not parsed.rows:
            return found
        protected = [
            (plan, self._protect(parsed.batch, plan, functools.partial(days.token_key, plan), worker.grown))
            for plan in days.plans
        ]
        del parsed  # what is raw goes before the next step asks for memory
        for plan, rows in protected:
            for partial in aggregate(rows, plan):
                key = days.key(partial.day)
                file = write_partial(state.partials, partial, key, plan_digest=plan.digest, keys=state.key_source)
                found.partials.append(file)
                self._take_room(file.size)
            if plan is days.plan:
                found.nulled = Counter(rows.nulled)
                found.late = Counter({day: n for day, n in rows.left_out.items() if days.closed(day)})
        return found

    def _take_room(self, size: int) -> None:
        with self._lock:
            if self._room is None:
                return
            self._room -= size
            if self._room < 0:
                raise StateLimitError(
                    f"{self._state.partials}: the counts of open days would take more than the limit on the state;"
                    " what fits is counted and published, no more is: raise --max-state, or seal sooner (seal_after)"
                )

    def _protect(self, batch: pa.RecordBatch, plan: Plan, token_key: TokenKeys, grown: Grown) -> Protected:
        from logblur.classify import classify
        from logblur.protect import protect

        memory, templates = self._learnt.result()  # workers wait here until it is there
        named = batch.select([name for name in batch.schema.names if name in plan.fields])  # another plan's are not its
        classified = classify(
            named,
            site=plan.site,
            memory=memory,
            pages=plan.pages,
            dimensions=plan.dimensions,
            follow_campaigns=plan.follows_campaigns,
            grown=grown,
        )
        columns = sorted({name for table in plan.tables for name in table.by})
        return protect(classified, plan, token_key, columns=columns, templates=templates, grown=grown)

    def _get_ready(self, form: Format, first: Block) -> None:
        """Load what comes after parsing and take a few lines through it, while workers parse. Once a run.

        The kernels of parsing come first: all that is loaded takes turns at the interpreter, and workers that have
        theirs need it no more.
        """
        if self._learnt.done():
            return
        worker = self._new_worker(form)
        worker.parser.feed(Block.of(first.data[: min(first.size, _FEW_BYTES)].tobytes()))
        parsed = worker.parser.take()
        from logblur.classify import Memory
        from logblur.protect import Templates

        self._learnt.set_result((Memory(self._apart), Templates()))
        from logblur.aggregate import aggregate, merge, release
        from logblur.dataset import publish  # noqa: F401 - loaded here, needed at the end

        plan = self._days.plan
        rows = self._protect(parsed.batch, plan, lambda _: bytes(range(16)), worker.grown)
        for partial in aggregate(rows, plan):
            release(merge([partial, partial]), plan.tables)

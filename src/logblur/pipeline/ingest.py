"""Reading: what is new in the logs, segment by segment, until it counts. Nothing here knows of OUT.

A segment is read whole by the workers, held against the policy's limit on rejects, and committed in one transaction:
until then nothing of it counts, and a run that is killed reads it again.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING

from logblur import stopping
from logblur.dataset.identity import HEAD_SIZE, FileStat, Head, Marks
from logblur.dataset.ledger import NEW_LOG, LogRecord
from logblur.dataset.state import State
from logblur.errors import FormatError, InputError, LogblurError, StateLimitError
from logblur.formats import Format
from logblur.pipeline.days import Days
from logblur.pipeline.workers import Segment, Workers
from logblur.schema import Block, Reason
from logblur.sources.find import Log
from logblur.summary import Progress

if TYPE_CHECKING:  # a run with nothing new needs none of these
    from logblur.sources.blocks import BlockReader
    from logblur.sources.open import LogContent


class Ingest:
    """The reading half of one run.

    Attributes:
        total: What was found in all that counts.
        bytes_read: Stored bytes.
        logs_known: Logs that held nothing new.
        waiting: Logs whose incomplete last line waits for its end.
        formats: Logs read, by the name of their format.
        errors: Of logs that failed; what is before the fault counts, and so do all other logs.
        limit: The limit on the state was reached: nothing of the segment that would have passed it counts, nor of what
            comes after.
    """

    def __init__(
        self,
        state: State,
        days: Days,
        logs: Sequence[Log],
        pool: ThreadPoolExecutor,
        *,
        workers: int,
        started: datetime,
        max_state_bytes: int | None,
        on_progress: Callable[[Progress], None] | None,
        on_notice: Callable[[str], None] | None,
    ) -> None:
        self._state, self._days, self._logs = state, days, logs
        room = None if max_state_bytes is None else max(max_state_bytes - state.size(), 0)
        self._make_workers = functools.partial(Workers, state, days, pool, workers, started, room)
        self._on_progress, self._on_notice = on_progress, on_notice
        sizes = [stat.size if (stat := FileStat.of(log.path)) else None for log in logs] if on_progress else []
        self._bytes_total = None if None in sizes else sum(filter(None, sizes))
        self.total = Segment()
        self.bytes_read = self.logs_known = self.waiting = 0
        self.formats: Counter[str] = Counter()
        self.errors: list[LogblurError] = []
        self.limit: StateLimitError | None = None

    def read(self) -> None:
        """Count what is new in every log, in their order, up to the limit on the state."""
        try:
            for log in self._logs:
                stopping.check()
                try:
                    self._read(log)
                except (InputError, FormatError) as error:
                    self.errors.append(error)
                except StateLimitError as error:
                    self.limit = error
                    break
        finally:
            if workers := self.__dict__.pop("_workers", None):  # what they learnt goes: publishing needs the memory
                workers.close()

    @functools.cached_property
    def _workers(self) -> Workers:
        """The workers; a run with nothing new needs none, nor the libraries they need."""
        return self._make_workers()

    def _read(self, log: Log) -> None:
        stat = FileStat.of(log.path)
        if stat and self._state.ledger.unchanged(stat):
            self.logs_known += 1
            return
        from logblur.sources.blocks import BlockReader
        from logblur.sources.open import open_log

        form = None
        with open_log(log) as content:
            if self._days.plan.delete_logs:
                content.end()
            head = Head.of(content) if content.rereadable else self._head_of_pipe()
            point = self._state.ledger.find(content) if content.rereadable else NEW_LOG
            marks = self._state.ledger.marks(head, point.offset)
            reader = BlockReader(
                content,
                start=point.offset,
                max_line_bytes=self._days.plan.max_line_bytes,
                watch=marks if content.rereadable else None,
            )
            while not point.older and not reader.at_end and (block := reader.read()):
                if form is None:
                    self._workers  # noqa: B018 - get ready while this thread imports Numba
                    form = self._format(content, block)
                    block = reader.follow_directives(block) if form.follows_fields else block
                segment = self._workers.read_segment(reader, form, block, self._report)
                head = self._checked(content, head, reader)
                self._check_rejects(segment, log.name)
                point = self._commit(point, content, head, marks, reader, segment)
                reader.next_segment()
            self.bytes_read += reader.bytes_read
            self.waiting += reader.waiting
        if form is None:
            self.logs_known += 1
        else:
            self.formats[form.name] += 1
        if stat and not (reader.waiting and self._days.plan.delete_logs):  # its end may come without a change
            self._state.ledger.remember(stat, None if point.older or reader.waiting else point.id)

    def _format(self, content: LogContent, block: Block) -> Format:
        """Return the format of a log, told by its head; a pipe has none but its first block."""
        from logblur import jit
        from logblur.parse.detect import SAMPLE_BYTES, choose
        from logblur.sources.blocks import sample

        if self._on_notice and (notice := jit.notice()):
            self._on_notice(notice)
            self._on_notice = None
        try:
            form = choose(sample(content, block, SAMPLE_BYTES), self._days.plan.format)
        except FormatError as error:
            raise FormatError(f"{content.log.name}: {error}") from None
        if (field := self._days.plan.client.field) not in form.columns:
            raise FormatError(
                f"{content.log.name}: the format logs no client address ({field}): clients cannot be told apart and "
                "nothing could be published; if another field holds it, name it as client_address in [input]"
            )
        return form

    def _check_rejects(self, segment: Segment, name: str) -> None:
        refused, lines = segment.rejects.total(), segment.rows + segment.rejects.total()
        if refused > self._days.plan.max_rejects * lines:
            why = ", ".join(f"{Reason(code).text} {n}" for code, n in segment.rejects.most_common())
            raise InputError(
                f"{refused} of {lines} lines do not fit the format ({why}); nothing from here on was counted: give the "
                "right --format, or raise max_rejects in the policy",
                source=name,
            )

    def _checked(self, content: LogContent, began: Head, reader: BlockReader) -> Head:
        """Return the head of a log that has been read, if it is still that of the log that was begun."""
        if not content.rereadable:
            return began
        head = Head.of(content)
        reached = min(HEAD_SIZE, reader.offset - head.start)
        if head.start != began.start or not head.data.startswith(began.data) or len(head.data) < reached:
            raise InputError("was emptied or replaced while it was read; run again", source=content.log.name)
        return head

    def _commit(
        self, point: LogRecord, content: LogContent, head: Head, marks: Marks, reader: BlockReader, segment: Segment
    ) -> LogRecord:
        """Make a segment count, with the days it opens."""
        ledger = self._state.ledger
        if content.rereadable and reader.offset <= head.start:
            self.total.add(segment)
            return point  # header lines alone: logs of any site begin with the same, so they make no log known
        self._days.open({partial.day for partial in segment.partials})
        after = ledger.commit(
            point,
            head=head,
            tail=reader.tail if content.rereadable else head.data,
            marks=marks.take(reader.offset),
            new_offset=reader.offset,
            partials=segment.partials,
            rejects=segment.rejects,
            late=segment.late,
        )
        if after is None:
            return ledger.find(content)
        self.total.add(segment)
        return after

    def _head_of_pipe(self) -> Head:
        """Return a head that no log has: what came through a pipe cannot come again."""
        return Head(0, self._state.key_source("standard input", 32))

    def _report(self, reader: BlockReader) -> None:
        if self._on_progress:
            self._on_progress(Progress(self.bytes_read + reader.bytes_read, self._bytes_total, self.total.rows))

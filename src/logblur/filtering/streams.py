"""Where lines come from and where they go: pipes, files to standard output, files in place."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Protocol

from logblur import durable
from logblur.errors import FormatError, InputError, OutputError, UsageError
from logblur.filtering.keys import Keyring
from logblur.filtering.lines import Engines, Filter, Parts, Rejects, TextFilter
from logblur.formats import Format, resolve_format
from logblur.parse.detect import SAMPLE_BYTES, choose
from logblur.policy import Policy, load_policy
from logblur.policy.plan import Plan
from logblur.policy.resolve import resolve
from logblur.protect.named import secrets_of
from logblur.schema import Block
from logblur.sources.blocks import BlockReader, sample
from logblur.sources.find import Log, find_logs
from logblur.sources.open import LogContent, open_log

TEXT: Final = "text"
"""The format of what has none: error logs, swept as free text."""

_PIPE_BYTES: Final = 1 << 20
_LATEST: Final = datetime(9998, 12, 31, tzinfo=UTC)
"""A pipe is filtered for months, and a time counts nowhere here: a line is refused for one that no calendar writes."""


class Sink(Protocol):
    """Takes bytes."""

    def __call__(self, parts: Parts) -> None:
        """Write them all."""
        ...


@dataclass(frozen=True, slots=True)
class Summary:
    """What a filter did.

    Attributes:
        lines: Lines read.
        dropped: Lines that did not fit the format, or were too long.
        swept: Lines that were treated as free text.
        nulled: Lines in which nothing could be said of a field that the policy keeps something of, by field: a client
            that is no address, a host that can be no name, a referrer that is none of the web, a text that the format
            cannot hold.
        formats: Names of the formats, by log.
    """

    lines: int
    dropped: int
    swept: int
    nulled: Mapping[str, int]
    formats: tuple[str, ...]


class Stop:
    """Asks a filter to write what it has and to end; may be called by a signal."""

    def __init__(self) -> None:
        self.asked = False
        self._content: LogContent | None = None

    def __call__(self) -> None:
        """Ask."""
        self.asked = True
        if self._content is not None:
            self._content.stop()

    def watch(self, content: LogContent) -> None:
        """Let the wait for this pipe end when asked."""
        self._content = content
        if self.asked:
            content.stop()


def filter_logs(
    logs: Sequence[str],
    *,
    policy: str | Path | Policy = "audience",
    format: str | None = None,  # noqa: A002 - the option's name
    rejects: Rejects = "drop",
    in_place: bool = False,
    output: int = 1,
    stop: Stop | None = None,
) -> Summary:
    """Write the lines of logs again, protected, to a descriptor or in the place of their files.

    Args:
        logs: Files, folders, globs or ``-``; plain or compressed.
        policy: What becomes of each field.
        format: Overrides the policy's ``[input] format``; ``text`` sweeps lines as free text.
        rejects: ``drop`` lines that do not fit the format, or ``sweep`` them as free text.
        in_place: Replace each file: same compression, owner, mode and times; whole or not at all.
        output: Where lines go otherwise.
        stop: Ends the work at the next line when it is called.

    Raises:
        PolicyError: The policy cannot be carried out, or a line cannot print a method.
        FormatError: The format of a log cannot be told.
        InputError: A log cannot be read to its end; what came before was written.
        OutputError: It cannot be written. BrokenPipeError: its reader has left.

    Privacy:
        Of each field no more leaves than the policy says; what does not fit is dropped or swept. Lines stay personal
        data: a series of requests can be recognised even without an address.

    Cost:
        Memory for some blocks. From a pipe a line leaves as soon as it is whole; kernels are compiled meanwhile.
    """
    plan = resolve(policy if isinstance(policy, Policy) else load_policy(policy), format=format)
    if plan.format not in {"auto", TEXT}:
        resolve_format(plan.format)
    job = _Job(plan, rejects, stop or Stop())
    for log in find_logs(list(logs)):
        if in_place:
            job.replace(log)
        else:
            with open_log(log) as content:
                (job.file if content.rereadable else job.pipe)(content, _to(output))
    return job.summary()


class _Job:
    def __init__(self, plan: Plan, rejects: Rejects, stop: Stop) -> None:
        self._plan, self._rejects, self._stop = plan, rejects, stop
        self._keys = Keyring(secrets_of(plan))
        self._filters: list[Filter | TextFilter] = []
        self._formats: list[str] = []
        self._workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def summary(self) -> Summary:
        tallies = [one.tally for one in self._filters]
        return Summary(
            sum(tally.lines for tally in tallies),
            sum(tally.dropped for tally in tallies),
            sum(tally.swept for tally in tallies),
            dict(sorted(sum((tally.nulled for tally in tallies), Counter[str]()).items())),
            tuple(self._formats),
        )

    def _filter(self, form: Format) -> Filter:
        if form.wrapping:
            raise FormatError(
                f"{form.name}: lines within JSON cannot be written back as they came; take them out first, or treat "
                "the log as free text (--format text)"
            )
        made = Filter(
            form, self._plan, self._keys, rejects=self._rejects, latest_us=int(_LATEST.timestamp()) * 1_000_000
        )
        self._filters.append(made)
        self._formats.append(form.name)
        return made

    def _text(self) -> TextFilter:
        made = TextFilter(self._plan)
        self._filters.append(made)
        self._formats.append(TEXT)
        return made

    def pipe(self, content: LogContent, write: Sink) -> None:
        """Filter what comes through a pipe, as it comes."""
        self._stop.watch(content)
        lines = self._text().lines if self._plan.format == TEXT else None
        waiting = b""
        for data in _whole_lines(content, self._stop, self._plan.max_line_bytes):
            if lines is None:
                waiting += data
                if (form := self._told(waiting, content)) is None:
                    continue
                one = self._filter(form)
                one.warm(waiting[:SAMPLE_BYTES])
                data, lines = waiting, one.lines  # noqa: PLW2901
            write(lines(data))
        if lines is None and _rows_in(waiting):
            choose(waiting, self._plan.format)

    def _told(self, waiting: bytes, content: LogContent) -> Format | None:
        """Return the format of a pipe's first lines; None where they do not tell it yet."""
        if not _rows_in(waiting) and self._plan.format == "auto":
            return None
        try:
            return choose(waiting, self._plan.format)
        except FormatError as error:
            if len(waiting) < SAMPLE_BYTES:
                return None
            raise FormatError(f"{content.log.name}: {error}") from None

    def file(self, content: LogContent, write: Sink) -> None:
        """Filter a file, blocks of lines in several threads."""
        reader = BlockReader(content, segment_size=1 << 62, max_line_bytes=self._plan.max_line_bytes)
        if self._plan.format == TEXT:
            text = self._text()
            while block := reader.read():
                write(text.lines(block.data[: block.size].tobytes()))
            return
        head = sample(content, None, SAMPLE_BYTES)
        if not head:
            return
        try:
            one = self._filter(choose(head, self._plan.format))
        except FormatError as error:
            raise FormatError(f"{content.log.name}: {error}") from None
        for parts in self._in_threads(one, reader):
            write(parts)

    def _in_threads(self, one: Filter, reader: BlockReader) -> Iterator[Parts]:
        engines: SimpleQueue[Engines] = SimpleQueue()
        for _ in range(self._workers):
            engines.put({})

        def work(block: Block) -> Parts:
            own = engines.get()
            try:
                return one.block(own, block, block.directives)
            finally:
                engines.put(own)

        jobs: deque[Future[Parts]] = deque()
        with ThreadPoolExecutor(self._workers) as pool:
            block = reader.read()
            if block and one.form.follows_fields:
                block = reader.follow_directives(block)
            while block and not self._stop.asked:
                jobs.append(pool.submit(work, block))
                if len(jobs) > self._workers:
                    yield jobs.popleft().result()
                block = reader.read()
            while jobs:
                yield jobs.popleft().result()

    def replace(self, log: Log) -> None:
        """Put the protected lines in the place of a file: whole, or not at all."""
        if log.path is None:
            raise UsageError("standard input has no place: leave out --in-place")
        path = log.path.resolve()
        with open_log(log) as content:
            if not content.rereadable:
                raise InputError("is no file that could be replaced; leave out --in-place", source=log.name)
            before = path.stat()
            if before.st_nlink > 1:
                raise InputError("has other names (hard links), which would keep the raw lines", source=log.name)
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{durable.TEMPORARY}")
            try:
                self._write(content, temporary, before)
                after = path.stat()
                if (after.st_size, after.st_mtime_ns, after.st_ino) != (
                    before.st_size, before.st_mtime_ns, before.st_ino,
                ):  # fmt: skip
                    raise InputError("is still written to; filter finished files in place", source=log.name)
                with durable.explained(path):
                    temporary.replace(path)
                durable.sync_folder(path.parent)
            finally:
                temporary.unlink(missing_ok=True)

    def _write(self, content: LogContent, temporary: Path, before: os.stat_result) -> None:
        with durable.explained(temporary):
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as raw:
                with _compressed(raw, content.kind) as packed:

                    def write(parts: Parts) -> None:
                        for part in parts:
                            packed.write(part)

                    self.file(content, write)
                raw.flush()
                os.fsync(raw.fileno())
                with contextlib.suppress(PermissionError):
                    os.fchown(raw.fileno(), before.st_uid, before.st_gid)
                about = os.fstat(raw.fileno())
                if (about.st_uid, about.st_gid) != (before.st_uid, before.st_gid):
                    raise OutputError(f"{content.log.name}: its owner cannot be kept; run as its owner or as root")
                os.fchmod(raw.fileno(), stat.S_IMODE(before.st_mode))
                os.utime(raw.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))


@contextlib.contextmanager
def _compressed(raw: Any, kind: str) -> Iterator[Any]:
    """Yield a file that packs what is written as this kind of archive is packed."""
    match kind:
        case "gzip":
            import gzip

            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
                yield packed
        case "bzip2":
            import bz2

            with bz2.BZ2File(raw, "wb") as archive:
                yield archive
        case "xz":
            import lzma

            with lzma.LZMAFile(raw, "wb") as archive:
                yield archive
        case "zstd":
            import pyarrow as pa

            with pa.CompressedOutputStream(pa.PythonFile(_Writable(raw), "w"), "zstd") as stream:
                yield stream
        case _:
            yield raw


class _Writable:
    """A file for those who would close it."""

    closed = False

    def __init__(self, raw: Any) -> None:
        self.write, self.flush = raw.write, raw.flush

    def close(self) -> None:
        """Do nothing: it is still to be synced."""


def _to(descriptor: int) -> Sink:
    def write(parts: Parts) -> None:
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"standard output cannot be written: {error.strerror}") from None

    return write


def _rows_in(lines: bytes) -> bool:
    """Whether anything stands there but blank lines and comments; ``#Fields`` says something."""
    return b"#Fields:" in lines or any(x.strip() and not x.startswith(b"#") for x in lines.split(b"\n"))


def _whole_lines(content: LogContent, stop: Stop, longest: int) -> Iterator[bytes]:
    """Yield what comes, cut behind the last newline; an incomplete line waits. The end of the pipe ends it.

    A line of more than ``longest`` bytes is cut to one byte more, which the parser rejects, so that none costs memory.
    """
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(0, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    stream, buffer, carry = content.stream(0), bytearray(_PIPE_BYTES), b""
    view = memoryview(buffer)
    while True:
        try:
            n = stream.readinto(view)
        except InputError:
            if not stop.asked:
                raise
            n = 0
        if not n:
            break
        end = buffer.rfind(b"\n", 0, n) + 1
        if end:
            yield carry + bytes(view[:end])
            carry = b""
        carry = (carry + bytes(view[end:n]))[: longest + 1]
    if carry:
        yield carry + b"\n"

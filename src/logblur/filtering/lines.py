"""What one filter does with lines: by the slow engine until the kernels are compiled, then by the fast one."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from logblur.filtering.fast import Fast
from logblur.filtering.keys import Keyring
from logblur.filtering.slow import Slow
from logblur.formats import Format, w3c
from logblur.parse.detect import guess
from logblur.parse.refused import gathered
from logblur.policy.plan import Plan
from logblur.protect.lines import speakers
from logblur.schema import Block

if TYPE_CHECKING:
    from logblur.classify import Memory
    from logblur.protect.detect import Rules

Rejects = Literal["drop", "sweep"]
Parts = list[bytes | memoryview]
"""Bytes to be written, in order."""

Engines = dict[Format, Fast]
"""The fast engines of one thread."""

NEWLINE, NUMBER_SIGN = 10, 35
_TRIED: Final = 100

_DIRECTIVES: Final = re.compile(rb"#(?:Fields:[A-Za-z0-9()_ \t-]+|Date:[0-9 :.-]+|Version:[0-9. ]+)\r?")
"""Lines of W3C extended logs that say how the others are read, and nothing else."""

_HEADER: Final = re.compile(rb"[A-Za-z0-9_,\" -]+\r?")

_ANOTHER: Final = 0.5
"""Where more than this share of lines is refused the log may have another format from here on."""


class Tally:
    """How many lines came, what became of them, and in how many of them nothing could be said of a field.

    Several threads may add to it.
    """

    __slots__ = ("_lock", "dropped", "lines", "nulled", "swept")

    def __init__(self) -> None:
        self.lines = self.dropped = self.swept = 0
        self.nulled: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, *, lines: int = 0, dropped: int = 0, swept: int = 0) -> None:
        """Count so many lines, and what became of some."""
        with self._lock:
            self.lines += lines
            self.dropped += dropped
            self.swept += swept

    def null(self, fields: Iterable[str] | Mapping[str, int]) -> None:
        """Count a line for each of these fields, or as many as is said."""
        with self._lock:
            self.nulled.update(fields)


class Filter:
    """Protects the lines of one log.

    Args:
        form: Its format; a log may change it (``#Fields``), or hold lines of the format's alternatives.
        plan: What becomes of each field.
        keys: For pseudonyms.
        rejects: What becomes of lines that do not fit.
        latest_us: A later time is a reject.

    Raises:
        PolicyError: The policy has a method that a line of this format cannot print.

    Privacy:
        What does not fit the format is dropped, or swept as free text; it never passes as it is.
    """

    def __init__(self, form: Format, plan: Plan, keys: Keyring, *, rejects: Rejects, latest_us: int) -> None:
        self.form, self._plan, self._keys, self._rejects, self._latest_us = form, plan, keys, rejects, latest_us
        self._speakers = speakers(form.columns, plan, _memory, keys.secrets)
        self._slows: dict[Format, Slow] = {}
        self._ready: Engines | None = None
        self._directives = b""
        self.tally = Tally()

    def warm(self, sample: bytes) -> None:
        """Compile the kernels in a thread of their own, by these lines; until then the slow engine serves."""

        def compile_ahead() -> None:
            engines: Engines = {}
            for lines, form in self._runs(sample, b""):
                self._fast(engines, form).lines(Block.of(lines))
            self._ready = engines

        threading.Thread(target=compile_ahead, daemon=True).start()

    def lines(self, data: bytes) -> Parts:
        """Return whole lines of a pipe, protected, by the engine that is there."""
        before, self._directives = self._directives, w3c.updated(data, self._directives)
        if self._ready is not None:
            return self.block(self._ready, Block.of(data), before)
        out: Parts = []
        for run, form in self._runs(data, before):
            lines = run.split(b"\n")[:-1]
            made = [self._slow(form).line(line) for line in lines]
            refused = [line for line, one in zip(lines, made, strict=True) if one is None and _says(line)]
            instead = iter(self._instead(refused, form, len(lines)))
            for line, one in zip(lines, made, strict=True):
                printed = next(instead) if one is None and _says(line) else one
                out += [printed, b"\n"] if printed is not None else []
        return out

    def block(self, engines: Engines, block: Block, directives: bytes) -> Parts:
        """Return the lines of a block, protected by one thread's engines."""
        out: Parts = []
        for run, form in self._runs(block.data[: block.size].tobytes(), directives) if self.form.follows_fields else ():
            out += self._part(self._fast(engines, form), Block.of(run), form)
        return out if self.form.follows_fields else self._part(self._fast(engines, self.form), block, self.form)

    def _runs(self, data: bytes, directives: bytes) -> Iterator[tuple[bytes, Format]]:
        """Yield lines that are in one format, and that format."""
        if not self.form.follows_fields:
            yield data, self.form
            return
        for begin, end, inside in w3c.runs(data, directives):
            yield data[begin:end], w3c.in_force(self.form, inside, data[begin:end])

    def _part(self, engine: Fast, block: Block, form: Format) -> Parts:
        made = engine.lines(block)
        whole = memoryview(made.data)  # type: ignore[arg-type]
        refused = made.refused
        if form.follows_fields:
            data = block.data[: block.size]
            starts = np.flatnonzero(data == NUMBER_SIGN)
            refused = np.union1d(refused, starts[(starts == 0) | (data[starts - 1] == NEWLINE)])
        texts, limits = gathered(block, refused)
        lines = [texts[begin : end - 1] for begin, end in pairwise(limits.tolist())]
        printed = self._instead(lines, form, len(made.ends) + len(made.refused) + made.directives)
        self.tally.null(made.nulled)
        out: Parts = []
        written = 0
        for line, rows in zip(printed, np.searchsorted(made.begins, refused.astype(np.uint32)).tolist(), strict=True):
            if line is not None:  # what is left out parts nothing
                end = int(made.ends[rows - 1]) if rows else 0
                out += [whole[written:end], line, b"\n"]
                written = end
        return [*out, whole[written:]]

    def _instead(self, refused: Sequence[bytes], form: Format, lines: int) -> list[bytes | None]:
        """Return what lines become that do not fit their format, of so many lines."""
        self.tally.add(lines=lines)
        others = [self._slow(replace(other, alternatives=())) for other in form.alternatives]
        if self.form.guessed and len(refused) > _ANOTHER * lines and (told := guess(refused[:_TRIED])):
            others.append(self._slow(told))
        return [self._otherwise(line, form, others) for line in refused]

    def _otherwise(self, line: bytes, form: Format, others: Sequence[Slow]) -> bytes | None:
        if line.startswith(b"#"):
            return line if form.follows_fields and _DIRECTIVES.fullmatch(line) else None
        if form.header and line.startswith(form.header):
            return line if _HEADER.fullmatch(line) else None
        for slow in others:
            if (made := slow.line(line)) is not None:
                return made
        if self._rejects == "drop" or len(line) > self._plan.max_line_bytes:
            self.tally.add(dropped=1)
            return None
        self.tally.add(swept=1)
        return sweep([line], self._plan.identifiers)[0]

    def _slow(self, form: Format) -> Slow:
        if form not in self._slows:
            self._slows[form] = Slow(
                form, self._plan, self._speakers, self._keys, latest_us=self._latest_us, on_nulled=self.tally.null
            )
        return self._slows[form]

    def _fast(self, engines: Engines, form: Format) -> Fast:
        if form not in engines:
            engines[form] = Fast(form, self._plan, self._speakers, self._keys, latest_us=self._latest_us)
        return engines[form]


def _says(line: bytes) -> bool:
    return bool(line.strip(b" \t\r"))


def _memory() -> Memory:
    from logblur.classify import Memory

    return Memory()


class TextFilter:
    """Sweeps lines as free text, whatever they are."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.tally = Tally()

    def lines(self, data: bytes) -> Parts:
        """Return whole lines, swept; one that is too long is dropped."""
        lines = data.split(b"\n")[:-1]
        kept = [line for line in lines if len(line) <= self._plan.max_line_bytes]
        self.tally.add(lines=len(lines), dropped=len(lines) - len(kept), swept=len(kept))
        return [b"".join(line + b"\n" for line in sweep(kept, self._plan.identifiers))]


def sweep(lines: Sequence[bytes], own: Rules = ()) -> list[bytes]:
    r"""Return lines without what identifies; bytes that are not UTF-8 become ``\xHH``, newlines within blanks."""
    from logblur.protect.sweep import swept

    texts = [line.decode("utf-8", "backslashreplace") for line in lines]
    return [re.sub(rb"[\r\n]", b" ", text.encode("utf-8", "backslashreplace")) for text in swept(texts, own)]

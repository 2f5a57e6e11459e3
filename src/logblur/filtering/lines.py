"""What one filter does with lines: by the slow engine until the kernels are compiled, then by the fast one."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np

from logblur.classify import Memory
from logblur.errors import FormatError
from logblur.filtering.fast import Fast
from logblur.filtering.keys import Keyring
from logblur.filtering.slow import SLOWLY, Slow
from logblur.formats import NAMED, Format, resolve_format
from logblur.parse.parser import MAX_LINE_BYTES
from logblur.parse.reference import RejectedError, read
from logblur.policy.plan import Plan
from logblur.protect import Templates
from logblur.protect.lines import Speakers
from logblur.protect.sweep import swept
from logblur.schema import Block

Rejects = Literal["drop", "sweep"]
Parts = list[bytes | memoryview]
"""Bytes to be written, in order."""

TOLD_BY: Final = 64
"""Lines of a pipe that its format is told by, at most."""


class Tally:
    """How many lines came, and what became of them."""

    __slots__ = ("dropped", "lines", "swept")

    def __init__(self) -> None:
        self.lines = self.dropped = self.swept = 0


class Filter:
    """Protects the lines of one format.

    Args:
        form: The format.
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
        self._speakers = Speakers(form.columns, plan, Memory(), Templates())
        self._slow = Slow(form, plan, self._speakers, keys, latest_us=latest_us)
        self._ready = threading.Event()
        self._fast: Fast | None = None
        self.tally = Tally()

    def engine(self) -> Fast:
        """Return a fast engine of its own for a thread."""
        return Fast(self.form, self._plan, self._speakers, self._keys, latest_us=self._latest_us)

    def warm(self, sample: bytes) -> None:
        """Compile the kernels in a thread of their own, by these lines; until then the slow engine serves."""

        def compile_ahead() -> None:
            fast = self.engine()
            fast.lines(Block.of(sample))
            self._fast = fast
            self._ready.set()

        threading.Thread(target=compile_ahead, daemon=True).start()
        if self._plan.methods.get("remote_addr", "drop") not in SLOWLY:
            self._ready.wait()

    def lines(self, data: bytes) -> Parts:
        """Return whole lines, protected."""
        if self._fast is not None and self._ready.is_set():
            return self.block(self._fast, Block.of(data))
        out: Parts = []
        for line in data.split(b"\n")[:-1]:
            made = self._slow.line(line)
            if made is None and line.strip(b" \t\r") and not line.startswith(b"#"):
                made = self._refused(line)
            self.tally.lines += 1
            out += [made, b"\n"] if made is not None else []
        return out

    def block(self, engine: Fast, block: Block) -> Parts:
        """Return the lines of a block, protected by one thread's engine."""
        made = engine.lines(block)
        whole = memoryview(made.data)  # type: ignore[arg-type]
        self.tally.lines += len(made.ends) + len(made.refused) + made.directives
        if self._rejects == "drop" and not self.form.alternatives:
            self.tally.dropped += len(made.refused)
            return [whole]
        out: Parts = []
        written = 0
        before = np.searchsorted(made.begins, made.refused)
        for at, rows in zip(made.refused.tolist(), before.tolist(), strict=True):
            end = int(made.ends[rows - 1]) if rows else 0
            line = block.data[at : at + MAX_LINE_BYTES + 2].tobytes().partition(b"\n")[0]
            instead = self._slow.line(line, alternatives=True)
            instead = self._refused(line) if instead is None else instead
            out += [whole[written:end]] + ([instead, b"\n"] if instead is not None else [])
            written = end
        return [*out, whole[written:]]

    def _refused(self, line: bytes) -> bytes | None:
        """Return what a line that does not fit becomes."""
        if self._rejects == "drop" or len(line) > MAX_LINE_BYTES:
            self.tally.dropped += 1
            return None
        self.tally.swept += 1
        return sweep([line])[0]


class TextFilter:
    """Sweeps lines as free text, whatever they are."""

    def __init__(self) -> None:
        self.tally = Tally()

    def lines(self, data: bytes) -> Parts:
        """Return whole lines, swept; one that is too long is dropped."""
        lines = data.split(b"\n")[:-1]
        kept = [line for line in lines if len(line) <= MAX_LINE_BYTES]
        self.tally.lines += len(lines)
        self.tally.dropped += len(lines) - len(kept)
        self.tally.swept += len(kept)
        return [b"".join(line + b"\n" for line in sweep(kept))]


def sweep(lines: Sequence[bytes]) -> list[bytes]:
    r"""Return lines without what identifies; bytes that are not UTF-8 become ``\xHH``."""
    return [text.encode() for text in swept([line.decode("utf-8", "backslashreplace") for line in lines])]


def told(lines: Sequence[bytes], *, latest_us: int) -> Format | None:
    """Return the known format that fits most of the first lines, without kernels; None where none fits half."""
    seen = [line for line in lines if line.strip(b" \t\r") and not line.startswith(b"#")][:TOLD_BY]
    fits: Counter[str] = Counter()
    forms = {name: resolve_format(name) for name in NAMED}
    for name, form in forms.items():
        for line in seen:
            try:
                fits[name] += read(line, form, latest_us=latest_us, max_line_bytes=MAX_LINE_BYTES) is not None
            except RejectedError:
                continue
    best = max(forms, key=lambda name: (fits[name], len(forms[name].fields)))
    return forms[best] if seen and 2 * fits[best] >= len(seen) else None


def no_format() -> FormatError:
    """Return what to say where no format fits."""
    return FormatError("no known format fits these lines; give the server's own format with --format")

"""What a log is, before anything is counted: its format, how much of it parses, and why the rest does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from logblur.errors import InputError
from logblur.parse import Parser
from logblur.parse.detect import SAMPLE_BYTES, choose, rank
from logblur.schema import PARSED, Block, Reason
from logblur.sources.blocks import BlockReader, sample
from logblur.sources.find import find_logs
from logblur.sources.open import open_log

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `inspect` found; counts and names only, never a value.

    Attributes:
        format: Name of the format the lines were read with.
        lines: Lines of the whole log, blank ones and comments among them.
        parsed: Lines that fit.
        rejects: Lines that do not, by reason.
        ranking: The known formats and the share of the first lines that fits each, best first.
        fields: The columns the format yields.
        damage: What kept the log from being read to its end; empty where nothing did.
    """

    format: str
    lines: int
    parsed: int
    rejects: Mapping[str, int]
    ranking: tuple[tuple[str, float], ...]
    fields: tuple[str, ...]
    damage: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return what ``logblur inspect --json`` prints."""
        ranking = [{"format": name, "share": round(share, 4)} for name, share in self.ranking]
        return {
            "format": self.format,
            "lines": self.lines,
            "parsed": self.parsed,
            "rejects": dict(self.rejects),
            "ranking": ranking,
        }


def inspect(log: str, *, format: str | None = None) -> Inspection:  # noqa: A002 - the option's name
    """Read one log to its end and say what it is.

    Args:
        log: A file, or ``-``.
        format: Read it so, instead of guessing.

    Raises:
        InputError: There is no such log, or it is several.
        FormatError: No format was given and none fits.

    Privacy:
        Returns counts, names of formats and columns; no value of a line.
    """
    found = find_logs([log])
    if len(found) != 1:
        raise InputError(f"{len(found)} logs: inspect takes one at a time", source=log)
    with open_log(found[0]) as content:
        reader = BlockReader(content, segment_size=1 << 62)
        first = None if content.rereadable else reader.read()
        head = sample(content, first, SAMPLE_BYTES)
        form = choose(head, format or "auto")
        ranking = rank(Block.of(head[: head.rfind(b"\n") + 1] or head))
        latest = int(datetime.now(UTC).timestamp()) * 1_000_000 + DAY_US
        parser = Parser(form, (), latest_us=latest)
        rows, directives, reasons, damage = 0, 0, Counter[int](), ""
        try:
            while block := first or reader.read():
                first = None
                parser.feed(block)
                parsed = parser.take()
                rows, directives = rows + int(parsed.rows), directives + int(parsed.directives)
                reasons.update(parsed.reject_reasons.tolist())
        except InputError as error:
            damage = str(error)
        waiting = int(reader.waiting)
    rejects = {Reason(code).text: count for code, count in sorted(reasons.items())}
    return Inspection(
        form.name,
        rows + directives + waiting + sum(rejects.values()),
        rows,
        rejects,
        tuple((m.format.name, float(m.share)) for m in ranking),
        tuple(name for name in PARSED.names if name in form.columns),
        damage,
    )

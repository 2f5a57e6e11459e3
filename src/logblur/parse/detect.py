"""Which of the known formats a log is written in, told by its first lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from logblur.errors import FormatError
from logblur.formats import NAMED, Format, resolve_format
from logblur.parse.parser import Parser
from logblur.schema import Block

SAMPLE_BYTES: Final = 256 << 10
"""How much of a log's head detection looks at."""

_WINNER: Final = 0.5
"""A format must fit at least this share of the lines to be chosen."""


@dataclass(frozen=True, slots=True)
class Match:
    """How well a format fits some lines: the share of the lines that are rows, directives left out."""

    format: Format
    share: float


def rank(block: Block) -> Sequence[Match]:
    """Return the known formats, best first; of two that fit alike the one that tells more of each line.

    Cost:
        One parse of the block for each format; give it `SAMPLE_BYTES` at most.
    """
    matches = []
    for name in NAMED:
        form = resolve_format(name)
        parser = Parser(form, (), latest_us=1 << 62)
        parser.feed(block)
        rows, rejects = parser.rows, parser.rejects
        matches.append(Match(form, rows / (rows + rejects) if rows + rejects else 0.0))
    return sorted(matches, key=lambda m: (-m.share, -len(m.format.fields)))


def choose(head: bytes, wanted: str) -> Format:
    """Return the format to read a log with.

    Args:
        head: The first bytes of the log, up to `SAMPLE_BYTES`.
        wanted: ``auto``, a known name, or an Apache LogFormat string.

    Raises:
        FormatError: No known format fits half of the lines, or what is wanted is none. The message says what to write.
            Blank lines and comments alone fit every format.
    """
    if wanted != "auto":
        return resolve_format(wanted)
    whole = head[: head.rfind(b"\n") + 1] or head
    ranking = rank(Block.of(whole))
    if ranking[0].share < _WINNER and any(x.strip() and not x.startswith(b"#") for x in whole.split(b"\n")):
        best = ", ".join(f"{m.format.name} {m.share:.0%}" for m in ranking[:3])
        raise FormatError(
            f"no known format fits these lines (best: {best}); give the server's own LogFormat string "
            'with --format or as format = "…" in [input]'
        )
    return ranking[0].format

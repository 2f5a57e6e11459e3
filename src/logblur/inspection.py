"""What a log is, before anything is counted: its format, how much of it parses, and why the rest does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa

from logblur.errors import InputError
from logblur.parse import Parser
from logblur.parse.detect import SAMPLE_BYTES, choose, rank
from logblur.protect.detect import kinds
from logblur.schema import FINDINGS, PARSED, Category, Parsed, Reason, metadata_of
from logblur.sources.blocks import BlockReader, sample
from logblur.sources.find import find_logs
from logblur.sources.open import open_log

DAY_US = 86_400_000_000


_NO_VERSIONS: Final = frozenset({"ip", "number"})  # in a user agent these are versions


@dataclass(frozen=True, slots=True)
class Held:
    """Personal data that a log really holds.

    Attributes:
        category: What a privacy notice calls it.
        field: The column that holds it.
        kind: What was found inside its text (`schema.FINDINGS`); empty for the field's own value.
        lines: How many lines hold it.
    """

    category: Category
    field: str
    kind: str
    lines: int


class _Tally:
    """Counts lines: those that fit and those that do not, and those that hold a value of each field and kind."""

    def __init__(self) -> None:
        self.rows = self.directives = 0
        self.reasons: Counter[int] = Counter()
        self._lines: Counter[tuple[str, str]] = Counter()

    def add(self, parsed: Parsed) -> None:
        self.rows += int(parsed.rows)
        self.directives += int(parsed.directives)
        self.reasons.update(parsed.reject_reasons.tolist())
        for name, column in zip(parsed.batch.schema.names, parsed.batch.columns, strict=True):
            if not pa.types.is_dictionary(column.type):
                self._lines[name, ""] += int(len(column) - column.null_count)
                continue
            texts = column.dictionary  # a null is a value of it
            each = np.bincount(np.asarray(column.indices), minlength=len(texts))
            self._lines[name, ""] += int(each[np.asarray(texts.is_valid())].sum())
            for kind, found in kinds(texts).items() if name != "remote_addr" else ():
                if name != "user_agent" or kind not in _NO_VERSIONS:
                    self._lines[name, kind] += int(each[np.asarray(found)].sum())

    def held(self) -> tuple[Held, ...]:
        """Return what was found, by category in the order of `schema.Category`."""
        found = [
            Held(FINDINGS[kind] if kind else Category(metadata_of(name)["category"]), name, kind, lines)
            for (name, kind), lines in self._lines.items()
            if lines
        ]
        order, fields = list(Category), PARSED.names
        return tuple(sorted(found, key=lambda h: (order.index(h.category), fields.index(h.field), h.kind)))


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
        sample: One line's columns as the best guess reads them: letters are ``x``, digits ``9``.
        held: The personal data that its lines hold, by category, field and kind.
        damage: What kept the log from being read to its end; empty where nothing did.
    """

    format: str
    lines: int
    parsed: int
    rejects: Mapping[str, int]
    ranking: tuple[tuple[str, float], ...]
    fields: tuple[str, ...]
    held: tuple[Held, ...] = ()
    damage: str = ""
    sample: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return what ``logblur inspect --json`` prints."""
        ranking = [{"format": name, "share": round(share, 4)} for name, share in self.ranking]
        return {
            "format": self.format,
            "lines": self.lines,
            "parsed": self.parsed,
            "rejects": dict(self.rejects),
            "ranking": ranking,
            "held": [
                {"category": h.category.value, "field": h.field, "kind": h.kind, "lines": h.lines} for h in self.held
            ],
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
        reader = BlockReader(content, segment_size=1 << 62, whole=True)
        first = None if content.rereadable else reader.read()
        head = sample(content, first, SAMPLE_BYTES)
        form = choose(head, format or "auto")
        ranking = rank(head)
        latest = int(datetime.now(UTC).timestamp()) * 1_000_000 + DAY_US
        fields = tuple(name for name in PARSED.names if name in form.columns)
        parser = Parser(form, [name for name in fields if name != "referer_host"], latest_us=latest)
        tally, damage = _Tally(), ""
        try:
            while block := first or reader.read():
                if form.follows_fields and block.offset == 0:
                    block = reader.follow_directives(block)
                first = None
                parser.feed(block)
                if parser.full:
                    tally.add(parser.take())
        except InputError as error:
            damage = str(error)
        tally.add(parser.take())
    rejects = {Reason(code).text: count for code, count in sorted(tally.reasons.items())}
    return Inspection(
        form.name,
        tally.rows + tally.directives + sum(rejects.values()),
        tally.rows,
        rejects,
        tuple((m.format.name, float(m.share)) for m in ranking),
        fields,
        tally.held(),
        damage,
        {name: _masked(value) for name, value in (ranking[0].row if ranking else {}).items() if value is not None},
    )


def _masked(value: object) -> str:
    """Return the shape of a value: letters are ``x``, digits ``9``, and no more than 40 of them."""
    return re.sub(r"[^\W\d_]|[^\x00-\x7f]", "x", re.sub(r"\d", "9", str(value)[:40]))

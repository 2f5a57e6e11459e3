"""The lines that a measurement works on, and what each stage makes of them for the next, made once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Final

import pyarrow as pa

from logblur.aggregate import Released, aggregate, merge, release
from logblur.classify import Memory, classify
from logblur.errors import InputError
from logblur.formats import Format
from logblur.parse import Parser
from logblur.parse.detect import SAMPLE_BYTES, choose
from logblur.policy.plan import Plan
from logblur.protect import Templates, protect
from logblur.schema import Block, Parsed, Partial, Protected
from logblur.sources.blocks import BlockReader, sample
from logblur.sources.find import Log
from logblur.sources.open import open_log

SAMPLE_SIZE: Final = 256 << 20
"""Bytes of lines that a measurement looks at: what is beyond them would only take longer."""

NO_LIMIT_US: Final = 1 << 62
TOKEN_KEY: Final = bytes(range(16))
"""Figures do not depend on the key, and nothing that is made under it is kept."""


@dataclass(frozen=True)
class Sample:
    """The first lines of a log in memory.

    Attributes:
        path: The log.
        blocks: Its lines, up to `SAMPLE_SIZE` bytes.
        form: The format they are in.
        plan: What is made of them.
    """

    path: Path
    blocks: tuple[Block, ...]
    form: Format
    plan: Plan

    @classmethod
    def of(cls, path: Path, plan: Plan) -> Sample:
        """Read the first lines of a log, plain or compressed.

        Raises:
            InputError: There is no line. FormatError: No known format fits.
        """
        with open_log(Log(path)) as content:
            reader = BlockReader(content, segment_size=SAMPLE_SIZE)
            blocks = tuple(iter(reader.read, None))
            form = choose(sample(content, blocks[0] if blocks else None, SAMPLE_BYTES), plan.format)
        if not blocks:
            raise InputError("holds no whole line to measure with", source=str(path))
        return cls(path, blocks, form, plan)

    @property
    def size(self) -> int:
        """Bytes of the lines."""
        return sum(block.size for block in self.blocks)

    @cached_property
    def lines(self) -> int:
        """How many lines there are, rejects and directives among them."""
        return sum(int((block.data[: block.size] == ord("\n")).sum()) for block in self.blocks)

    def parse(self) -> list[Parsed]:
        """Parse the lines into the columns that the plan asks for, one thread."""
        parser, found = Parser(self.form, self.plan.fields, latest_us=NO_LIMIT_US), []
        for block in self.blocks:
            parser.feed(block)
            if parser.full:
                found.append(parser.take())
        return [*found, parser.take()]

    def classify(self) -> list[pa.RecordBatch]:
        """Classify what `parsed` holds, as if nothing were known yet."""
        memory = Memory()
        return [classify(parsed.batch, site=self.plan.site, memory=memory) for parsed in self.parsed]

    def protect(self) -> list[Protected]:
        """Carry out the plan on what `classified` holds, as if nothing were known yet."""
        columns, templates = sorted({name for table in self.plan.tables for name in table.by}), Templates()
        return [
            protect(batch, self.plan, lambda _: TOKEN_KEY, columns=columns, templates=templates)
            for batch in self.classified
        ]

    def aggregate(self) -> list[Partial]:
        """Group what `protected` holds."""
        return [partial for rows in self.protected for partial in aggregate(rows, self.plan)]

    def release(self) -> Mapping[date, Mapping[str, Released]]:
        """Merge each day's partials and hold its tables against their thresholds."""
        days: dict[date, list[Partial]] = {}
        for partial in self.partials:
            days.setdefault(partial.day, []).append(partial)
        return {day: release(merge(partials), self.plan.tables) for day, partials in sorted(days.items())}

    @cached_property
    def parsed(self) -> list[Parsed]:
        """What `parse` gives, made once."""
        return self.parse()

    @cached_property
    def classified(self) -> list[pa.RecordBatch]:
        """What `classify` gives, made once."""
        return self.classify()

    @cached_property
    def protected(self) -> list[Protected]:
        """What `protect` gives, made once."""
        return self.protect()

    @cached_property
    def partials(self) -> list[Partial]:
        """What `aggregate` gives, made once."""
        return self.aggregate()

    @cached_property
    def released(self) -> Mapping[date, Mapping[str, Released]]:
        """What `release` gives, made once."""
        return self.release()


def make_up(path: Path, lines: int = 100_000) -> Path:
    """Write lines of 250 clients, five hundred pages and fifty agents, far more alike than those of a real log."""
    line = (
        '198.51.100.%d - - [10/Nov/2025:%02d:%02d:%02d +0200] "GET /page/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (%d)"\n'
    )
    seconds = (number * 86_400 // lines for number in range(lines))
    path.write_text(
        "".join(
            line % (n * 7 % 250, s // 3600, s // 60 % 60, s % 60, n * n % 499, n * 7919 % 65_536, n % 53)
            for n, s in enumerate(seconds)
        )
    )
    return path

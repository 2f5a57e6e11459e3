"""Every delimited format against combined: the same requests, written in each, parsed to the same columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from logblur.bench.measure import paired
from logblur.formats import Format, resolve_format
from logblur.formats.named import NAMED
from logblur.formats.printing import Value, print_line
from logblur.parse import Parser, parse
from logblur.schema import PARSED, Block

from .figures import Figure, Scale

LINES: Final = 20_000
BLOCK: Final = 2 << 20
FIELDS: Final = ("time", "remote_addr", "host", "method", "path", "status", "bytes_sent", "referer_host", "user_agent")
SAME: Final = frozenset({"w3c", "nginx_default", "varnishncsa", "caddy_clf", "tomcat", "fastly"})
"""Formats of the same shape as another, and the one that tells nothing by itself."""


def figures(scale: Scale) -> Sequence[Figure]:
    """Return each format's bytes a second as a share of combined's in the same run."""
    known = entries(scale.log(), min(scale.lines, LINES))
    combined = resolve_format("combined")
    others, found = blocks_of(combined, known), []
    size = sum(block.size for block in others)
    for name in NAMED:
        if name in SAME or name == "combined" or (form := resolve_format(name)).keys:
            continue
        blocks = blocks_of(form, known)

        def ours(form: Format = form, blocks: Sequence[Block] = blocks) -> int:
            return rows_of(form, blocks)

        _, ratio, _ = paired(ours, lambda: rows_of(combined, others), rounds=scale.rounds)
        share = ratio * sum(block.size for block in blocks) / size
        found.append(Figure(f"parse {name}, of combined's bytes a second", round(share, 2), "x", 0.5))
    return found


def entries(log: Path, lines: int) -> Sequence[Mapping[str, Value]]:
    """Return what the first lines of the log hold, by column."""
    with log.open("rb") as file:
        head = b"".join(file.readline() for _ in range(lines))
    columns = [name for name in PARSED.names if name != "referer_host"]
    batch = parse([Block.of(head)], resolve_format("combined"), columns, latest_us=1 << 62).batch
    more = {"host": "www.example.com", "duration": 12_345, "bytes_received": 512, "": "app-1"}
    rows = [more | {k: v for k, v in row.items() if v is not None} for row in batch.to_pylist()]
    for k, row in enumerate(rows):  # servers that write fractions write another each time
        row["time"] += timedelta(microseconds=k * 7919 % 1_000_000)
    return rows


def blocks_of(form: Format, entries: Sequence[Mapping[str, Value]]) -> list[Block]:
    """Return the entries, written in a format, a few times over."""
    lines = b"".join(print_line(form, entry) + b"\n" for entry in entries)
    cut = lines[: lines.rfind(b"\n", 0, BLOCK) + 1] if len(lines) > BLOCK else lines
    return [Block.of(cut) for _ in range(8)]


def rows_of(form: Format, blocks: Sequence[Block]) -> int:
    """Parse the blocks; return the rows."""
    parser = Parser(form, FIELDS, latest_us=1 << 62)
    for block in blocks:
        parser.feed(block)
    return parser.take().rows

"""Every delimited format against combined: the same requests, written in each, parsed to the same columns."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from logblur.formats import Format, resolve_format
from logblur.formats.named import NAMED
from logblur.formats.printing import Value, print_line
from logblur.parse import Parser, parse
from logblur.schema import PARSED, Block

LINES = 20_000
BLOCK = 2 << 20
FIELDS = ("time", "remote_addr", "host", "method", "path", "status", "bytes_sent", "referer_host", "user_agent")
SAME = frozenset({"w3c", "nginx_default", "varnishncsa", "caddy_clf", "tomcat", "fastly"})
"""Formats of the same shape as another, and the one that tells nothing by itself."""


@pytest.fixture(scope="module")
def entries(log: Path) -> Sequence[Mapping[str, Value]]:
    """What the first lines of the log hold."""
    with log.open("rb") as file:
        lines = b"".join(file.readline() for _ in range(LINES))
    columns = [name for name in PARSED.names if name != "referer_host"]
    batch = parse([Block.of(lines)], resolve_format("combined"), columns, latest_us=1 << 62).batch
    more = {"host": "www.example.com", "duration": 12_345, "bytes_received": 512, "": "app-1/eu"}
    rows = [more | {k: v for k, v in row.items() if v is not None} for row in batch.to_pylist()]
    for k, row in enumerate(rows):  # servers that write fractions write another each time
        row["time"] += timedelta(microseconds=k * 7919 % 1_000_000)
    return rows


def blocks_of(form: Format, entries: Sequence[Mapping[str, Value]]) -> list[Block]:
    """The entries, written in a format, a few times over."""
    lines = b"".join(print_line(form, entry) + b"\n" for entry in entries)
    cut = [lines[: lines.rfind(b"\n", 0, BLOCK) + 1]] if len(lines) > BLOCK else [lines]
    return [Block.of(cut[0]) for _ in range(8)]


def work(form: Format, blocks: Sequence[Block]) -> int:
    """Parse the blocks; return the rows."""
    parser = Parser(form, FIELDS, latest_us=1 << 62)
    for block in blocks:
        parser.feed(block)
    return parser.take().rows


def shortest(form: Format, blocks: Sequence[Block]) -> float:
    """Return the shortest time of five parses, seconds."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work(form, blocks)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("name", [name for name in NAMED if name not in SAME and not resolve_format(name).keys])
def test_format(benchmark: BenchmarkFixture, entries: Sequence[Mapping[str, Value]], name: str) -> None:
    """At least half of combined's bytes a second, in the same run; nearly every line fits."""
    form, combined = resolve_format(name), resolve_format("combined")
    blocks, others = blocks_of(form, entries), blocks_of(combined, entries)
    rows = benchmark(work, form, blocks)
    assert rows > 0.98 * sum(int(np.count_nonzero(b.data[: b.size] == 10)) for b in blocks)
    if benchmark.enabled:
        speed = sum(b.size for b in blocks) / benchmark.stats.stats.min
        other = sum(b.size for b in others) / shortest(combined, others)
        benchmark.extra_info["share of combined's speed"] = round(speed / other, 3)
        benchmark.extra_info["MB/s"] = round(speed / 1e6)

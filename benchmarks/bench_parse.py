"""Parsing alone: typed, interned columns of a million realistic lines, as a share of the speed of a newline count."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from logblur.formats import resolve_format
from logblur.parse import Parser
from logblur.policy import load_policy
from logblur.policy.resolve import resolve
from logblur.schema import Block
from logblur.sources.blocks import BlockReader
from logblur.sources.find import Log
from logblur.sources.open import open_log

from . import yardsticks


@pytest.fixture(scope="module")
def blocks(log: Path) -> list[Block]:
    """The log in memory."""
    with open_log(Log(log)) as content:
        return list(iter(BlockReader(content, segment_size=1 << 62).read, None))


def test_parse(benchmark: BenchmarkFixture, blocks: list[Block]) -> None:
    """The columns that the default policy asks for, one thread; nearly every line fits."""
    fields = resolve(load_policy("audience")).fields

    def parse() -> int:
        parser = Parser(resolve_format("combined"), fields, latest_us=1 << 62)
        rows = 0
        for block in blocks:
            parser.feed(block)
            if parser.full:
                rows += parser.take().rows
        return rows + parser.take().rows

    rows = benchmark(parse)
    assert rows > 0.98 * yardsticks.newline_count(blocks)
    if benchmark.enabled:
        count = yardsticks.best(lambda: yardsticks.newline_count(blocks))
        benchmark.extra_info["share of the newline count's speed"] = round(count / benchmark.stats.stats.median, 4)
        benchmark.extra_info["MB/s"] = round(sum(b.size for b in blocks) / benchmark.stats.stats.median / 1e6)

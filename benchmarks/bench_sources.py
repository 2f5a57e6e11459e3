"""Reading: what blocks of whole lines cost, held against what the bytes alone cost in the same run."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from isal import igzip
from pytest_benchmark.fixture import BenchmarkFixture

from logblur.sources.blocks import BlockReader
from logblur.sources.find import Log
from logblur.sources.open import open_log

LINE = b'198.51.100.%d - - [10/Nov/2025:12:00:00 +0200] "GET /page/%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11)"\n'
LOG = b"".join(LINE % (n % 250, n * n % 9973, n * 7919 % 65536) for n in range(200_000))


def read_blocks(path: Path) -> int:
    """Read a log to its end and return the bytes of its lines."""
    with open_log(Log(path)) as content:
        reader = BlockReader(content)
        return sum(block.size for block in iter(reader.read, None))


def read_bytes(path: Path) -> int:
    """Decompress a log with the bare library."""
    with igzip.open(path) as file:
        return sum(map(len, iter(lambda: file.read(1 << 18), b"")))


def best(work: Callable[[Path], int], path: Path) -> float:
    """The shortest of five times, in seconds."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert work(path) == len(LOG)
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_blocks(benchmark: BenchmarkFixture, tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """A log is read to its end in blocks."""
    path = tmp_path / "log"
    path.write_bytes(compress(LOG))
    assert benchmark(read_blocks, path) == len(LOG)


def test_blocks_cost_little_more_than_decompressing(tmp_path: Path) -> None:
    """Lines of an archive come at no less than two thirds of the speed of the bare library."""
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(LOG, compresslevel=6))
    assert best(read_bytes, path) > 0.66 * best(read_blocks, path)

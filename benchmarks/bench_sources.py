"""Reading: what blocks of whole lines cost, held against what the bytes alone cost in the same run."""

from __future__ import annotations

import gzip
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


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_blocks(benchmark: BenchmarkFixture, tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """A log is read to its end in blocks."""
    path = tmp_path / "log"
    path.write_bytes(compress(LOG))
    assert benchmark(read_blocks, path) == len(LOG)


def test_bare_library(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The yardstick of reading an archive: the bare library on the same bytes."""
    path = tmp_path / "log"
    path.write_bytes(gzip.compress(LOG))
    assert benchmark(read_bytes, path) == len(LOG)

"""Blocks: whatever the bytes, the sizes, the compression and the threads, the same lines at the same offsets."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from logblur.schema import PAD, Block
from logblur.sources.blocks import BlockReader
from logblur.sources.find import Log
from logblur.sources.open import open_log

KINDS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}

# Short lines and long ones, NULs, carriage returns and bytes that are not UTF-8; often no final newline.
PIECES = st.one_of(st.binary(max_size=12), st.just(b"\n"), st.sampled_from([b"\r\n", b"\0", b"\xff\n", b"x" * 70]))
# Of archives, and of UTF-16, which is refused: hypothesis finds them in the source and tries them.
SIGNATURES = (b"\x1f", b"(\xb5/\xfd", b"BZh", b"\xfd7zXZ", b"\xff\xfe", b"\xfe\xff")
LOGS = (
    st.lists(PIECES, max_size=60)
    .map(b"".join)
    .filter(lambda data: not data.startswith(SIGNATURES) and data[1:4] != b"*M\x18")
)
LIMITS = st.integers(0, 40)


def lines_of(data: bytes, *, grows: bool) -> list[tuple[int, bytes]]:
    """The oracle: each line with its offset; the last one without a newline only where the log does not grow."""
    offset, found = 0, []
    for line in data.split(b"\n"):
        found.append((offset, line + b"\n"))
        offset += len(line) + 1
    if grows or not found[-1][1].rstrip(b"\n"):
        found.pop()
    return found


def cut(line: bytes, block_size: int, limit: int) -> bytes:
    """What a reader makes of a line that is longer than a block."""
    return line if len(line.rstrip(b"\n")) < block_size else line[: limit + 1] + b"\n"


def lines_in(blocks: list[Block]) -> list[tuple[int, bytes]]:
    """Each line of some blocks with its offset."""
    found = []
    for block in blocks:
        offset = block.offset
        for line in _split(block):
            found.append((offset, line))
            offset += len(line)
    return found


def _split(block: Block) -> list[bytes]:
    return [line + b"\n" for line in block.data[: block.size - 1].tobytes().split(b"\n")]


def pull(reader: BlockReader, threads: int) -> list[Block]:
    """All blocks of a segment, pulled by several threads, in the order of the log; what a thread raises is raised."""
    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(lambda: list(iter(reader.read, None))) for _ in range(threads)]
        found = [block for job in jobs for block in job.result()]
    return sorted(found, key=lambda block: block.offset)


@settings(deadline=None)
@given(
    data=LOGS,
    kind=st.sampled_from(sorted(KINDS)),
    limit=LIMITS,
    extra=st.integers(2, 60),
    segment_size=st.integers(1, 400),
    threads=st.integers(1, 3),
    split=st.integers(0, 200),
)
def test_blocks_hold_the_lines_of_the_log(
    data: bytes, kind: str, limit: int, extra: int, segment_size: int, threads: int, split: int
) -> None:
    """The lines of all blocks are the lines of the log, each at its offset, padded, and segments end between lines."""
    assume(bytes(limit + extra) not in data)  # a hole is passed over
    compress = KINDS[kind]
    with TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.write_bytes(compress(data[:split]) + compress(data[split:]))
        with open_log(Log(path)) as content:
            assert content.kind == kind
            reader = BlockReader(content, block_size=limit + extra, segment_size=segment_size, max_line_bytes=limit)
            blocks: list[Block] = []
            while not reader.at_end:
                segment = pull(reader, threads)
                assert sum(block.size for block in segment) <= max(segment_size, limit + extra + 1)
                blocks += segment
                reader.next_segment()
            expected = lines_of(data, grows=kind == "plain")
            assert lines_in(blocks) == [(offset, cut(line, limit + extra, limit)) for offset, line in expected]
            assert all(bytes(b.data[b.size : b.size + PAD]) == b"\n" * PAD for b in blocks)
            whole = len(data) if kind != "plain" else data.rfind(b"\n") + 1
            assert reader.offset == whole
            assert reader.waiting == (whole < len(data))


@settings(deadline=None)
@given(data=LOGS, kind=st.sampled_from(sorted(KINDS)), limit=LIMITS)
def test_reading_on_gives_what_was_left(data: bytes, kind: str, limit: int) -> None:
    """Stopping at any segment and reading on from its offset, in a new process, loses and repeats no line."""
    assume(bytes(limit + 2) not in data)  # a hole is passed over
    with TemporaryDirectory() as folder:
        path = Path(folder, "log")
        path.write_bytes(KINDS[kind](data))
        offsets, blocks = [0], []
        while True:
            with open_log(Log(path)) as content:
                content.tail(offsets[-1])
                reader = BlockReader(
                    content, start=offsets[-1], block_size=limit + 2, segment_size=30, max_line_bytes=limit
                )
                blocks += pull(reader, 1)
                offsets.append(reader.offset)
                if reader.at_end:
                    break
        assert all(a <= b for a, b in pairwise(offsets))
        expected = lines_of(data, grows=kind == "plain")
        assert lines_in(blocks) == [(offset, cut(line, limit + 2, limit)) for offset, line in expected]

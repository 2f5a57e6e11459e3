"""What the machine itself takes for the same bytes: the yardsticks that stages are held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from logblur.bench.sample import Sample

_STEP: Final = 8 << 20


def memcpy(sample: Sample) -> Callable[[], object]:
    """Copy the bytes of the lines once, 8 MiB at a time."""
    whole = np.concatenate([block.data[: block.size] for block in sample.blocks])
    target = np.empty(_STEP, np.uint8)

    def copy() -> None:
        for at in range(0, len(whole), _STEP):
            piece = whole[at : at + _STEP]
            target[: len(piece)] = piece

    return copy


def newline_count(sample: Sample) -> Callable[[], object]:
    """Count the newlines of the same bytes, 8 MiB at a time, one thread."""
    whole = np.concatenate([block.data[: block.size] for block in sample.blocks])
    pieces = [whole[at : at + _STEP] for at in range(0, len(whole), _STEP)]
    return lambda: sum(int(np.count_nonzero(piece == ord("\n"))) for piece in pieces)


def gunzip(sample: Sample) -> Callable[[], object]:
    """Decompress the log with the bare library."""
    from isal import igzip

    def read() -> int:
        with igzip.open(sample.path) as file:
            return sum(map(len, iter(lambda: file.read(1 << 18), b"")))

    return read


def parquet_write(sample: Sample) -> Callable[[], object]:
    """Write the released rows to memory with pyarrow's own defaults."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = [table.rows for tables in sample.released.values() for table in tables.values()]

    def write() -> None:
        for table in tables:
            pq.write_table(table, pa.BufferOutputStream(), compression="zstd")

    return write


YARDSTICKS: Final[Mapping[str, Callable[[Sample], Callable[[], object]]]] = {
    "memcpy": memcpy,
    "newline count": newline_count,
    "bare gunzip": gunzip,
    "Parquet write": parquet_write,
}
"""By the name that figures call them."""

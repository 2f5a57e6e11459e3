"""The audit's search: as many addresses as lines, looked for in a table a thousand times as large in bytes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from logblur.privacy.search import prepare, search

from .figures import Figure, Scale

BAR_S: Final = 60.0
BYTES_A_VALUE: Final = 1000
_BLOCK: Final = 20_000  # rows
_LINE: Final = '%s - - [17/May/2026:10:05:03 +0000] "GET /%d HTTP/1.1" 200 %d "-" "Mozilla/5.0 (X11; Linux x86_64)"\n'
_ROW: Final = '2026-05-17,10:05:03,%s,/p/%d/item-%d.html,200,%d,"Mozilla/5.0 (X11; rv:%d.0) Firefox/128.0",%016x\n'


def figures(scale: Scale) -> Sequence[Figure]:
    """Return how long a gigabyte is searched for the seven million forms of a million addresses."""
    log, table = scale.folder / "audit.log", scale.folder / "audit.csv"
    log.write_text("".join(_LINE % (a, k % 997, k % 70_000) for k, a in enumerate(addresses(scale.lines, 5))))
    write(table, BYTES_A_VALUE * scale.lines)
    search(log.name, table, prepare([str(log)], wanted="auto", enough=10))  # compiled
    start, busy = time.perf_counter(), time.process_time()
    hunt = prepare([str(log)], wanted="auto", enough=10)
    ready, busy_ready = time.perf_counter(), time.process_time()
    search(table.name, table, hunt)
    end, busy_end = time.perf_counter(), time.process_time()
    million = 1_000_000 / scale.lines

    def figure(what: str, seconds: float, busy: float, bar: float | None) -> Figure:
        detail = f"{busy * million:.1f} s of processors, measured on {scale.lines:,}"
        return Figure(what, round(seconds * million, 2), "s", bar, "less", detail)

    return [
        figure("audit: forms of a million addresses of a raw log", ready - start, busy_ready - busy, None),
        figure("audit: 1 GB of CSV searched for them", end - ready, busy_end - busy_ready, BAR_S),
    ]


def addresses(count: int, seed: int) -> Iterator[str]:
    """Yield distinct IPv4 addresses."""
    values = np.random.default_rng(seed).permutation(count).astype(np.uint32) * np.uint32(2654435761)
    for value in values.tolist():
        yield f"{value >> 24}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def write(table: Path, size: int) -> None:
    """Write a table of so many bytes: masked addresses, paths, numbers, agents, tokens."""
    numbers = np.random.default_rng(6).integers(0, 1 << 32, (_BLOCK, 2)).tolist()
    rows = "".join(
        _ROW % (f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.0", a % 99_991, b % 3111, b, a % 120, a * b)
        for a, b in numbers
    )
    with table.open("w") as out:
        out.write("date,time,network,path,status,hits,agent,token\n")
        while out.tell() < size:
            out.write(rows)

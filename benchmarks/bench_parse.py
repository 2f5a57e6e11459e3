"""Parsing alone: typed, interned columns, bounds checks on, one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from logblur.bench.measure import paired
from logblur.bench.sample import Sample
from logblur.bench.stages import parse
from logblur.bench.yardsticks import newline_count

from .figures import Figure, Scale
from .rivals.jobs import LINE


def figures(scale: Scale) -> Sequence[Figure]:
    """Return the parser's speed against the newline count, Polars, and pyarrow's reader of JSON."""
    shop, json = scale.shop, scale.sample("json")
    share = paired(parse(shop), newline_count(shop), rounds=scale.rounds)
    polars = paired(parse(shop), extract_groups(shop), rounds=min(scale.rounds, 3))
    arrow = paired(parse(json), read_json(json), rounds=scale.rounds)
    return [
        Figure("parse, of the speed of the newline count", round(share[1], 4), "x", 0.10, detail=_rate(shop, share[0])),
        Figure("parse, one thread, against Polars extract_groups, all threads", round(polars[1], 2), "x", 2.5),
        Figure(
            "parse JSON lines against pyarrow.json, one thread",
            round(arrow[1], 2),
            "x",
            1.0,
            detail=_rate(json, arrow[0]),
        ),
    ]


def extract_groups(sample: Sample) -> Callable[[], object]:
    """Polars: the fields of every line as text, nothing typed, on all processors."""
    import polars as pl

    texts = b"".join(block.data[: block.size].tobytes() for block in sample.blocks).decode("utf-8", "replace")
    lines = pl.Series(texts.split("\n"))
    return lambda: lines.str.extract_groups(LINE)


def read_json(sample: Sample) -> Callable[[], object]:
    """pyarrow: the same objects as text columns, one thread; broken lines are left out, which it cannot bear."""
    import json

    import pyarrow as pa
    import pyarrow.json as pj

    good = bytearray()
    for block in sample.blocks:
        for line in block.data[: block.size].tobytes().splitlines(keepends=True):
            try:
                json.loads(line)
            except ValueError:
                continue
            good += line
    options, data = pj.ReadOptions(use_threads=False, block_size=16 << 20), pa.py_buffer(bytes(good))
    return lambda: pj.read_json(pa.BufferReader(data), read_options=options)


def _rate(sample: Sample, seconds: float) -> str:
    return f"{sample.size / seconds / 1e6:.0f} MB/s, {sample.lines / seconds / 1e6:.2f} million lines/s"

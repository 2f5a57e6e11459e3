"""The stages of the main job, each as a call on a `Sample`, with the yardstick that it is held against."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logblur.bench.sample import SAMPLE_SIZE, Sample
from logblur.sources.blocks import BlockReader
from logblur.sources.find import Log
from logblur.sources.open import open_log

Call = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the main job.

    Attributes:
        name: As figures call it.
        yardstick: A name in `yardsticks.YARDSTICKS`.
        prepare: Gives the call that is timed; what it needs is made before.
    """

    name: str
    yardstick: str
    prepare: Callable[[Sample], Call]


def read(sample: Sample) -> Call:
    """Read the log as blocks of whole lines, decompressed."""

    def blocks() -> int:
        with open_log(Log(sample.path)) as content:
            return sum(block.size for block in iter(BlockReader(content, segment_size=SAMPLE_SIZE).read, None))

    return blocks


def parse(sample: Sample) -> Call:
    """Lines to typed, interned columns, one thread."""
    return sample.parse


def classify(sample: Sample) -> Call:
    """Distinct agents, hosts and paths to what they say, rules built before."""
    sample.classify()
    return sample.classify


def protect(sample: Sample) -> Call:
    """Classified rows to publishable ones and tokens."""
    _ = sample.classified
    return sample.protect


def aggregate(sample: Sample) -> Call:
    """Protected rows to the partials of each day."""
    _ = sample.protected
    return sample.aggregate


def release(sample: Sample) -> Call:
    """Partials merged, and every table held against its thresholds."""
    _ = sample.partials
    return sample.release


def publish(sample: Sample) -> Call:
    """Released rows to Parquet files on disk, synced."""
    from logblur import durable
    from logblur.dataset import manifest
    from logblur.dataset.publish import DayInfo, publish_day

    days = {day: {name: table.rows for name, table in tables.items()} for day, tables in sample.released.items()}
    info = DayInfo(sample.plan, "0" * 16, sealed=False, rolled_up={})

    def write() -> None:
        with tempfile.TemporaryDirectory(prefix="logblur-bench-") as folder:
            out = Path(folder)
            durable.make_folder(manifest.temporary_folder(out))
            manifest.save(out, manifest.Manifest("0" * 32, {}, {}))
            for day, tables in days.items():
                publish_day(out, day, tables, info)

    return write


STAGES: Final = (
    Stage("read", "memcpy", read),
    Stage("parse", "newline count", parse),
    Stage("classify", "newline count", classify),
    Stage("protect", "newline count", protect),
    Stage("aggregate", "newline count", aggregate),
    Stage("release", "newline count", release),
    Stage("publish", "Parquet write", publish),
)
"""In the order of the data. An archive's `read` is held against the bare library: see `stages_of`."""


def stages_of(sample: Sample) -> tuple[Stage, ...]:
    """Return the stages, each with the yardstick that fits this log."""
    if sample.path.suffix == ".gz":
        return (Stage("read", "bare gunzip", read), *STAGES[1:])
    return STAGES

"""Reading: an archive in blocks of whole lines, against the bare library on the same bytes."""

from __future__ import annotations

from collections.abc import Sequence

from logblur.bench.measure import paired
from logblur.bench.stages import read
from logblur.bench.yardsticks import gunzip

from .figures import Figure, Scale


def figures(scale: Scale) -> Sequence[Figure]:
    """Return what lines cost beyond the bytes that hold them."""
    sample = scale.sample(suffix=".log.gz")
    seconds, ratio, _ = paired(read(sample), gunzip(sample), rounds=scale.rounds)
    rate = f"{sample.size / seconds / 1e6:.0f} MB/s"
    return [Figure("read a .gz log, of the speed of bare isal gunzip", round(ratio, 3), "x", detail=rate)]

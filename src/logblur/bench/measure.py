"""Times stages against their yardsticks: pair by pair in one process, medians; a machine's drift cancels out."""

from __future__ import annotations

import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from logblur import __version__
from logblur.bench.sample import Sample
from logblur.bench.stages import Call, stages_of
from logblur.bench.yardsticks import YARDSTICKS

_STATUS: Final = Path("/proc/self/status")
_LIBRARIES: Final = ("numba", "numpy", "pyarrow", "polars", "isal", "ua-parser")


@dataclass(frozen=True, slots=True)
class Measured:
    """What one stage took.

    Attributes:
        stage: Its name.
        yardstick: What it was held against.
        ratio: Its speed as a share of the yardstick's on the same bytes: the median of the pairs.
        megabytes_s: Megabytes of log a second; decoration.
        lines_s: Lines a second; decoration.
        peak_mb: Highest resident memory of the process while it ran; None where the system does not tell.
    """

    stage: str
    yardstick: str
    ratio: float
    megabytes_s: float
    lines_s: float
    peak_mb: float | None

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name."""
        return asdict(self)


def measure(sample: Sample, *, rounds: int = 5) -> Iterator[Measured]:
    """Yield the figures of each stage, in the order of the data.

    Args:
        sample: The lines.
        rounds: Pairs of a stage and its yardstick; medians are taken over them.

    Cost:
        A few seconds for a hundred megabytes of lines, and two to three times their size in memory.
    """
    for stage in stages_of(sample):
        yardstick, work = YARDSTICKS[stage.yardstick](sample), stage.prepare(sample)
        seconds, ratio, peak = paired(work, yardstick, rounds=rounds)
        rates = sample.size / seconds / 1e6, sample.lines / seconds
        yield Measured(stage.name, stage.yardstick, round(ratio, 5), round(rates[0], 1), round(rates[1]), peak)


def paired(work: Call, yardstick: Call, *, rounds: int) -> tuple[float, float, float | None]:
    """Time two calls in turn, each once before it counts.

    Returns:
        The median time of the work in seconds, the median of yardstick / work, and the work's peak memory in MB.
    """
    yardstick()
    peak = _peak(work)
    times = []
    for _ in range(rounds):
        times.append((timed(yardstick), timed(work)))
    return statistics.median(w for _, w in times), statistics.median(y / w for y, w in times), peak


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak(work: Call) -> float | None:
    """Run a call and return the process's highest resident memory meanwhile, MB."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far (Linux, proc(5))
    except OSError:
        work()
        return None
    work()
    found = re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())
    return round(int(found[1]) / 1000, 1) if found else None


def machine() -> dict[str, str]:
    """Return what the figures were measured on: processor, system, and versions."""
    return {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "logblur": __version__,
    } | {name: version(name) for name in _LIBRARIES}


def _processor() -> str:
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor()

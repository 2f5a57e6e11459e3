"""`logblur run` as a process of its own, start-up included: against rivals, itself with less, and its own memory."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from . import rivals
from .figures import Figure, Scale
from .processes import FailedError, Ran, run

BARS: Final = {
    "goaccess": 40.0,
    "polars_regex": 8.0,
    "duckdb_regex": 8.0,
    "chdb_regex": 8.0,
    "duckdb_csv": 3.0,
    "pyarrow_regex": None,
    "apachelogs_rows": None,
}
"""How many times a rival's lines per second `run` should do."""

_MOST_LINES: Final = 1 << 24
"""More take 4 GB on disk."""


def figures(scale: Scale) -> Sequence[Figure]:
    """Return the main job's figures; a rival that is not installed is named with the reason."""
    return [*against_rivals(scale), *against_itself(scale), version(scale)]


def against_rivals(scale: Scale) -> list[Figure]:
    """Return lines per second of `run` over those of each rival, in turn."""
    found = []
    ours = busy(scale, lambda lines: _logblur(scale, lines))
    for name, bar in BARS.items():
        rival = rivals.rival(name)
        what = f"run against {rival.name}"
        try:
            release = rival.version()
        except LookupError as reason:
            found.append(Figure(what, 0.0, "x", detail=f"not measured: {reason}"))
            continue
        try:
            theirs = busy(scale, lambda lines, rival=rival: by_rival(scale, rival, lines))
            pairs = [(_logblur(scale, ours), by_rival(scale, rival, theirs)) for _ in range(scale.rounds)]
        except FailedError as reason:
            found.append(Figure(what, 0.0, "x", detail=f"not measured: {reason}"))
            continue
        ratio = statistics.median(ours / a.seconds / (theirs / b.seconds) for a, b in pairs)
        rate = theirs / statistics.median(b.seconds for _, b in pairs)
        peak = max(b.peak_mb for _, b in pairs)
        detail = f"{release}: {rate:,.0f} lines/s, {peak:.0f} MB, {theirs:,} lines; leaves out {rival.leaves_out}"
        found.append(Figure(what, round(ratio, 2), "x", bar, detail=detail))
    return found


def against_itself(scale: Scale) -> list[Figure]:
    """Return what an archive, a second worker and ten times the lines make of a run."""
    size, rounds = scale.lines, scale.rounds
    plain = scale.log(lines=size)
    longer, packed = scale.log(lines=4 * size), scale.log(lines=4 * size, suffix=".log.gz")
    bare = [sys.executable, "-c", _GUNZIP, str(packed)]
    extra = []
    for _ in range(2 * rounds + 1):  # a difference is noisier than what it is of
        a, b, c = _job(scale, packed), _job(scale, longer), _command(scale, bare)
        extra.append((a.seconds - b.seconds) / c.seconds)
    workers = [_of_one(scale) / _of_two(scale) for _ in range(rounds)]
    runs = [_job(scale, plain) for _ in range(rounds)]
    once, ten = max(r.peak_mb for r in runs), _job(scale, scale.log(lines=10 * size)).peak_mb
    seconds = statistics.median(r.seconds for r in runs)
    return [
        Figure(f"run, {size:,} lines", round(seconds, 2), "s", detail=f"{size / seconds:,.0f} lines/s, {once:.0f} MB"),
        Figure("run on .gz beyond plain, in bare isal's times", round(statistics.median(extra), 2), "x", 0.6, "less"),
        Figure(
            "run --workers 2 on all processors against one on one, start-up excluded",
            round(statistics.median(workers), 2), "x", 1.6,
        ),
        Figure("peak memory of run, ten times the lines", round(ten / once, 2), "x", 1.2, "less", f"{ten:.0f} MB"),
    ]  # fmt: skip


def _of_one(scale: Scale) -> float:
    """Return the seconds that one worker on one processor takes beyond its start-up."""
    many, few = (
        _job(scale, scale.log(lines=lines), "--workers", "1", prefix=_pinned()) for lines in (10 * scale.lines, 1000)
    )
    return many.seconds - few.seconds


def _of_two(scale: Scale) -> float:
    """Return the seconds that two workers on all processors take beyond their start-up."""
    many, few = (_job(scale, scale.log(lines=lines), "--workers", "2") for lines in (10 * scale.lines, 1000))
    return many.seconds - few.seconds


def version(scale: Scale) -> Figure:
    """Return what `logblur --version` takes in starts of the interpreter."""
    pairs = [
        _command(scale, [sys.executable, "-m", "logblur", "--version"]).seconds
        / _command(scale, [sys.executable, "-c", "pass"]).seconds
        for _ in range(4 * scale.rounds)
    ]
    return Figure("logblur --version against python -c pass", round(statistics.median(pairs), 1), "x", 8.0, "less")


_GUNZIP: Final = """
import sys
from isal import igzip
with igzip.open(sys.argv[1]) as file:
    while file.read(1 << 18):
        pass
"""


def busy(scale: Scale, job: Callable[[int], Ran]) -> int:
    """Return how many lines keep a job busy for long enough."""
    lines = min(scale.lines, 100_000)
    if not scale.busy_s:
        return lines
    while (seconds := job(lines).seconds) < scale.busy_s and lines < _MOST_LINES:
        lines = min(_MOST_LINES, max(2 * lines, int(lines * scale.busy_s / max(seconds, 0.1))))
    return lines


def _logblur(scale: Scale, lines: int) -> Ran:
    return _job(scale, scale.log(lines=lines))


def _job(scale: Scale, log: Path, *options: str, prefix: Sequence[str] = ()) -> Ran:
    with tempfile.TemporaryDirectory(dir=scale.folder) as folder:
        place = ["-o", f"{folder}/out", "--state", f"{folder}/state", "-q"]
        return run(
            [*prefix, sys.executable, "-m", "logblur", "run", str(log), *place, *options], output=Path(folder) / "said"
        )


def _pinned() -> Sequence[str]:
    return ["taskset", "-c", "0"] if shutil.which("taskset") else []


def by_rival(scale: Scale, rival: rivals.Rival, lines: int) -> Ran:
    """Return what a rival takes for so many lines."""
    log = scale.log(lines=lines)
    with tempfile.TemporaryDirectory(dir=scale.folder) as folder:
        out = Path(folder) / "out"
        out.mkdir()
        return run(rival.command(log, out), output=Path(folder) / "said", environment=rival.environment)


def _command(scale: Scale, command: Sequence[str]) -> Ran:
    return run(command, output=scale.folder / "said")

"""`logblur run` as a process of its own: a million lines to nine published tables, start-up included."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

# What the system counts for a child includes its parent before the exec, so the program is asked for its own peak.
PROGRAM = """
import sys
from logblur.cli import main
code = main(sys.argv[1:])
print(open("/proc/self/status").read())
sys.exit(code)
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_run(benchmark: BenchmarkFixture, log: Path, tmp_path: Path, workers: int) -> None:
    """Every table is published."""
    number, peaks = count(), []

    def run() -> Path:
        folder = tmp_path / str(next(number))
        folder.mkdir()
        words = ["run", str(log), "-o", str(folder / "out"), "--state", str(folder / "state"), "-q"]
        command = [sys.executable, "-c", PROGRAM, *words, "--workers", str(workers)]
        done = subprocess.run(command, check=True, env=dict(os.environ), stdout=subprocess.PIPE, text=True)
        peaks.extend(int(kilobytes) // 1000 for kilobytes in re.findall(r"VmHWM:\s*(\d+)", done.stdout))
        return folder / "out"

    out = benchmark.pedantic(run, rounds=5 if benchmark.enabled else 1, warmup_rounds=int(benchmark.enabled))
    assert len([path for path in out.iterdir() if path.name != "_logblur"]) == 9
    if benchmark.enabled:
        benchmark.extra_info["MB/s"] = round(log.stat().st_size / benchmark.stats.stats.median / 1e6)
        benchmark.extra_info["peak memory, MB"] = max(peaks, default=None)

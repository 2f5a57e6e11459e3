"""Commands as processes of their own: wall time, start-up included, and peak memory.

The system counts for a child what its parent held before the exec, so each command is started by a small process that
does nothing else.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(os.open(sys.argv[1] + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
print(json.dumps([time.perf_counter() - start, usage.ru_maxrss / 1000, os.waitstatus_to_exitcode(status)]))
"""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process took: wall seconds, and megabytes at its peak."""

    seconds: float
    peak_mb: float


class FailedError(Exception):
    """A command did not end with 0; says what it wrote to its errors' end."""


def run(
    command: Sequence[str], *, output: Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run a command to its end, its output to a file.

    Raises:
        FailedError: It ended with anything but 0.
    """
    launched = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(output), *command],
        stdout=subprocess.PIPE, check=True, cwd=cwd, env={**os.environ, **(environment or {})}, text=True,
    )  # fmt: skip
    seconds, peak, code = json.loads(launched.stdout)
    if code:
        raise FailedError(f"{command[0]} ended with {code}: {Path(f'{output}.err').read_text()[-500:]}")
    return Ran(seconds, peak)


def median(runs: Sequence[Ran]) -> Ran:
    """Return the median time and the highest peak of some runs."""
    return Ran(statistics.median(r.seconds for r in runs), max(r.peak_mb for r in runs))

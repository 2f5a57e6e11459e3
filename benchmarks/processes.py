"""Commands as processes of their own: wall time, start-up included, and peak memory, of their own processes too.

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
import json, os, select, sys, time

peaks = {}

def look(pid):  # the most that each has held so far; a process that has ended keeps what was seen last
    try:
        with open(f"/proc/{pid}/status") as status:
            peaks.update((pid, int(line.split()[1]) / 1000) for line in status if line.startswith("VmHWM"))
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as children:
                for child in children.read().split():
                    look(int(child))
    except OSError:
        pass

start = time.perf_counter()
child = os.fork()
if child == 0:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
    os.dup2(os.open(sys.argv[1] + ".err", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.execvp(sys.argv[2], sys.argv[2:])
if hasattr(os, "pidfd_open"):
    end = os.pidfd_open(child)
    while not select.select([end], [], [], 0.1)[0]:
        look(child)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - start
if usage.ru_maxrss / 1000 > max(peaks.values(), default=0):  # else it is that of a process that it waited for
    peaks[child] = usage.ru_maxrss / 1000
print(json.dumps([seconds, sum(peaks.values()), os.waitstatus_to_exitcode(status)]))
"""
_AS_INSTALLED = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""Without what makes every process compile our modules anew."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a process took: wall seconds, and the sum of the most megabytes that it and each of its own held.

    No less than what all held at once, but more where its processes came one after another.
    """

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
        stdout=subprocess.PIPE, check=True, cwd=cwd, env={**_AS_INSTALLED, **(environment or {})}, text=True,
    )  # fmt: skip
    seconds, peak, code = json.loads(launched.stdout)
    if code:
        raise FailedError(f"{command[0]} ended with {code}: {Path(f'{output}.err').read_text()[-500:]}")
    return Ran(seconds, peak)


def median(runs: Sequence[Ran]) -> Ran:
    """Return the median time and the highest peak of some runs."""
    return Ran(statistics.median(r.seconds for r in runs), max(r.peak_mb for r in runs))

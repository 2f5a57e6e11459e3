"""A run that is killed: a process that makes ready once, then forks a child for each kill, and says what differs.

Called as ``python -m tests.crashes FOLDER KILLS``. Several logs and days are counted in three runs, with growth and
rotation in between, the last of which seals. Each child is ended by SIGKILL, at a step of `durable.step` or after a
random time; what it left is run again, and in the end every byte of OUT must be that of the undisturbed runs.
"""

from __future__ import annotations

import functools
import hashlib
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from logblur import durable
from logblur.pipeline import run

START = datetime(2026, 5, 17, 20, tzinfo=UTC)
NOW = datetime(2026, 5, 19, 1, tzinfo=UTC)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def keys(purpose: str, size: int) -> bytes:
    """Give the same bytes for the same purpose."""
    return hashlib.shake_256(purpose.encode()).digest(size)


def lines(log: int, first: int, count: int) -> bytes:
    """Lines over two days, other ones in each log."""
    found = []
    for n in range(first, first + count):
        moment = START + timedelta(seconds=9 * n + log)
        found.append(
            f'198.51.{log}.{n % 120} - - [{moment:%d/%b/%Y:%H:%M:%S} +0000] "GET /{"abcdefg"[n % 7]}/{log} HTTP/1.1"'
            f' {200 if n % 11 else 404} {n} "-" "{AGENT}"\n'
        )
    return "".join(found).encode()


def prepare(folder: Path, stage: int) -> None:
    """Put the logs there as they are at a stage; doing it again changes nothing."""
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    wanted = {
        "access.log": lines(1, 0, 3000) if stage == 0 else lines(1, 4000, 500),
        "access.log.1": None if stage == 0 else lines(1, 0, 4000),
        "other.log": lines(2, 0, 1500 + 700 * stage) + b"half a li",
    }
    for name, data in wanted.items():
        path = logs / name
        if data is not None and not (path.exists() and path.read_bytes() == data):
            path.write_bytes(data)


def once(folder: Path, stage: int, *, step: int | None = None) -> None:
    """One run, which is killed at a step; the third comes when every day is due."""
    prepare(folder, stage)
    if step is not None:
        durable.step = killed_at(step)
    now = NOW + timedelta(days=9 if stage == 2 else stage / 24)
    run(folder / "logs", folder / "out", state=folder / "state", workers=2, clock=lambda: now, keys=keys)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of OUT."""
    out = folder / "out"
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def forked(act: Callable[[], None], after: float | None = None) -> int:
    """Do something in a process of its own, which is killed after so many seconds; return how it ended."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException as error:
            print(type(error).__name__, str(error)[:200], flush=True)
            os._exit(1)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_at(step: int) -> Callable[[str], None]:
    """What ends the process at its step number ``step``."""
    left = step

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return count


def main(folder: Path, kills: int) -> int:
    """Kill so many times, and print what was killed where; return how many OUTs differ, or runs fail."""
    undisturbed, steps, took = folder / "undisturbed", [], []
    undisturbed.mkdir()
    wanted = []
    for stage in range(3):
        names: list[str] = []
        durable.step = names.append  # type: ignore[assignment]
        began = time.monotonic()
        once(undisturbed, stage)
        took.append(time.monotonic() - began)
        steps.append(names)
        wanted.append(contents(undisturbed))
    durable.step = lambda _: None
    seed, failures = random.Random(kills), 0
    named = [(stage, names.index(name)) for stage, names in enumerate(steps) for name in dict.fromkeys(names)]
    print(len(dict.fromkeys(name for names in steps for name in names)), "named steps,", sum(map(len, steps)), "in all")
    for number in range(kills):
        place = folder / str(number)
        place.mkdir()
        at_time = number % 3 == 2
        stage, step = named[number] if number < len(named) and not at_time else (seed.randrange(3), -1)
        if step < 0:
            step = seed.randrange(len(steps[stage]))
        for before in range(stage):
            failures += forked(functools.partial(once, place, before)) != 0
        after = seed.uniform(0, took[stage]) if at_time else None

        ended = forked(functools.partial(once, place, stage, step=10**9 if at_time else step), after)
        failures += ended not in ((0, -signal.SIGKILL) if at_time else (-signal.SIGKILL,))
        for later in range(stage, 3):
            if forked(functools.partial(once, place, later)) != 0 or contents(place) != wanted[later]:
                failures += 1
                print("differs: kill", number, "in run", stage, "at", after if at_time else steps[stage][step])
        shutil.rmtree(place)
    print(kills, "kills,", failures, "failures")
    return failures


if __name__ == "__main__":
    sys.exit(min(main(Path(sys.argv[1]), int(sys.argv[2])), 99))

"""User agents and hosts, described in a process of its own.

Their rules hold the interpreter: a quarter of a second to build, 20 microseconds for each new text. That is most of
what workers would wait for, at the start of a run and whenever new agents turn up. This module is both sides: what a
run asks, and, run as a program, what answers until its input ends.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Literal

from logblur.classify import agents, hosts

What = Literal["agents", "hosts"]

_DESCRIBE: Mapping[What, Callable[[str], tuple[str, ...]]] = {"agents": agents.describe, "hosts": hosts.describe}


class Apart:
    """The other process; where there is none, or no more, this one describes.

    Privacy:
        Texts go through a pipe that nobody else has, and are held there no longer than it takes to describe them. The
        process has no log, no state and nothing to write to; its errors go nowhere.

    Cost:
        0.4 s of another processor until it is ready, and 54 MB. It ends when this process does, however that ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError, TypeError):  # an interpreter within another program may not know itself
            self._process = subprocess.Popen(  # noqa: S603 - this module
                [sys.executable, "-I" if sys.flags.isolated else "-P", "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a signal at the terminal is for the run alone
            )

    def describe(self, what: What, texts: list[str]) -> list[tuple[str, ...]]:
        """Return what `agents.describe` or `hosts.describe` returns of each text, whatever happens to the process."""
        with self._lock:
            if self._process is not None:
                assert self._process.stdin is not None
                assert self._process.stdout is not None
                try:
                    pickle.dump((what, texts), self._process.stdin)
                    self._process.stdin.flush()
                    said: list[tuple[str, ...]] = pickle.load(self._process.stdout)  # noqa: S301 - our own process
                except Exception:  # it ended, or something in it printed at its start: what it says means nothing
                    self._end()
                else:
                    return said
        return in_this_process(what, texts)

    def close(self) -> None:
        """End the other process."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def __repr__(self) -> str:
        return "Apart()"


def in_this_process(what: What, texts: list[str]) -> list[tuple[str, ...]]:
    """Return what `agents.describe` or `hosts.describe` returns of each text."""
    return [_DESCRIBE[what](text) for text in texts]


def answer() -> None:
    """Answer what `Apart.describe` asks through standard input, until it ends."""
    agents.build()
    hosts.build()
    while True:
        try:
            what, texts = pickle.load(sys.stdin.buffer)  # noqa: S301 - of the process that started this one
        except EOFError:
            return
        pickle.dump(in_this_process(what, texts), sys.stdout.buffer)
        sys.stdout.buffer.flush()
        del what, texts  # else they would be held until the next question


if __name__ == "__main__":
    answer()

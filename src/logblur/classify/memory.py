"""What was learnt of texts, so that a distinct value is looked at once a run and not once a batch."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.classify import agents, hosts
from logblur.classify.apart import Apart, in_this_process

LIMIT: Final = 1 << 17
"""Texts that are remembered; each is at most 512 characters, so that a flood of made-up ones costs less than 100 MB."""

_AT_ONCE: Final = 256
"""Texts that are described at once."""


class Known:
    """A bounded map from texts to rows of a small table, filled as texts turn up; safe to share between threads."""

    __slots__ = ("_codes", "_describe", "_lock", "_longest", "_rows")

    def __init__(
        self, describe: Callable[[list[str]], list[tuple[str, ...]]], absent: tuple[str, ...], longest: int
    ) -> None:
        self._describe = describe
        self._longest = longest
        self._rows: dict[tuple[str, ...], int] = {absent: 0}
        self._codes: dict[str, int] = {}
        self._lock = threading.Lock()

    def learn(self, texts: Iterable[str]) -> None:
        """Describe what is new among these texts, as far as there is room; the lock is free now and then."""
        texts = iter(texts)
        while some := list(itertools.islice(texts, _AT_ONCE)):
            with self._lock:
                self._add(some[: max(LIMIT - len(self._codes), 0)])

    def look(self, texts: Sequence[str | None]) -> tuple[npt.NDArray[np.int32], list[tuple[str, ...]]]:
        """Return for each text the row that describes it, and the rows. None is row 0, the absent one."""
        with self._lock:
            if len(self._codes) >= max(
                LIMIT, 4 * len(texts)
            ):  # else a dictionary beyond the limit would clear it each time
                self._codes.clear()
                for row in list(self._rows)[1:]:
                    del self._rows[row]
            self._add(texts)
            known, longest = self._codes, self._longest
            codes = (0 if t is None else known[t[:longest]] for t in texts)
            return np.fromiter(codes, np.int32, len(texts)), list(self._rows)

    def _add(self, texts: Sequence[str | None]) -> None:
        known, longest = self._codes, self._longest
        new = list(dict.fromkeys(cut for t in texts if t is not None and (cut := t[:longest]) not in known))
        for first in range(0, len(new), _AT_ONCE):  # another process need not hold a flood of them
            some = new[first : first + _AT_ONCE]
            for text, row in zip(some, self._describe(some), strict=True):
                known[text] = self._rows.setdefault(row, len(self._rows))


class Memory:
    """What a run has learnt of user agents and hosts: one for all workers.

    Args:
        apart: Describes them in a process of its own; left out, they are described by whoever asks.

    Privacy:
        Holds raw user agents and host names in memory for the length of a run; never written, never printed.
    """

    __slots__ = ("agents", "hosts")

    def __init__(self, apart: Apart | None = None) -> None:
        describe = in_this_process if apart is None else apart.describe
        self.agents = Known(functools.partial(describe, "agents"), agents.ABSENT, agents.LONGEST)
        self.hosts = Known(functools.partial(describe, "hosts"), hosts.ABSENT, hosts.LONGEST + 1)

    def learn(self, column: str, texts: Iterable[str]) -> None:
        """Describe the new ones among these user agents or hosts; meant for a thread beside those that read."""
        (self.agents if column == "user_agent" else self.hosts).learn(texts)

    def __repr__(self) -> str:
        return "Memory()"

"""What was learnt of texts, so that a distinct value is looked at once a run and not once a batch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from logblur.classify import agents, hosts

LIMIT: Final = 1 << 17
"""Texts that are remembered; each is at most 512 characters, so that a flood of made-up ones costs less than 100 MB."""


class Known:
    """A bounded map from texts to rows of a small table, filled as texts turn up; safe to share between threads."""

    __slots__ = ("_codes", "_describe", "_lock", "_longest", "_rows")

    def __init__(self, describe: Callable[[str], tuple[str, ...]], absent: tuple[str, ...], longest: int) -> None:
        self._describe = describe
        self._longest = longest
        self._rows: dict[tuple[str, ...], int] = {absent: 0}
        self._codes: dict[str, int] = {}
        self._lock = threading.Lock()

    def learn(self, texts: Iterable[str]) -> None:
        """Describe what is new among these texts; the lock is free between two of them."""
        for text in texts:
            with self._lock:
                if len(self._codes) >= LIMIT:
                    return
                self._code(text)

    def look(self, texts: Sequence[str | None]) -> tuple[npt.NDArray[np.int32], list[tuple[str, ...]]]:
        """Return for each text the row that describes it, and the rows. None is row 0, the absent one."""
        with self._lock:
            if len(self._codes) >= max(
                LIMIT, 4 * len(texts)
            ):  # else a dictionary beyond the limit would clear it each time
                self._codes.clear()
                for row in list(self._rows)[1:]:
                    del self._rows[row]
            known, code = self._codes.get, self._code
            codes = (0 if t is None else known(t) or code(t) for t in texts)
            return np.fromiter(codes, np.int32, len(texts)), list(self._rows)

    def _code(self, text: str) -> int:
        text = text[: self._longest]
        code = self._codes.get(text)
        if code is None:
            code = self._codes[text] = self._rows.setdefault(self._describe(text), len(self._rows))
        return code


class Memory:
    """What a run has learnt of user agents and hosts: one for all workers.

    Privacy:
        Holds raw user agents and host names in memory for the length of a run; never written, never printed.
    """

    __slots__ = ("agents", "hosts")

    def __init__(self) -> None:
        self.agents = Known(agents.describe, agents.ABSENT, agents.LONGEST)
        self.hosts = Known(hosts.describe, hosts.ABSENT, hosts.LONGEST + 1)

    def warm(self) -> None:
        """Compile the rules and read the tables now, so that the first batch does not wait for them."""
        agents.build()
        hosts.build()

    def learn(self, texts: Iterable[str]) -> None:
        """Classify the user agents among these texts that are new; meant for a thread beside those that read."""
        self.agents.learn(texts)

    def __repr__(self) -> str:
        return "Memory()"

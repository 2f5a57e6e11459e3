"""Signals that end a command: noted whenever they come, raised only where nothing is half done.

Python raises what a signal handler raises in whatever runs just then: within an import, a lock of the compiler's, an
object that is being freed. Some of these break, others swallow it. So a handler only asks, and what takes long looks
here between two steps.
"""

from __future__ import annotations


class Stopped(BaseException):
    """A signal asked this process to end.

    Attributes:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


_asked: list[int] = []


def ask(number: int) -> None:
    """Let every later `check` end the work, in whichever thread."""
    _asked.append(number)


def check() -> None:
    """Do nothing, or raise `Stopped` if a signal came. Costs next to nothing."""
    if _asked:
        raise Stopped(_asked[0])


def forget() -> None:
    """Let `check` do nothing again: the command that was to end has ended."""
    _asked.clear()

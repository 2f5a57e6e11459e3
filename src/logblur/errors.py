"""Every exception of logblur and its exit code, in one file that imports nothing: no room needs another for them.

A bad line is data (a reject, see `schema.Reason`); a bad run is one of these. Messages are one line, say what to do
next, and never hold bytes of a log line or of a key.
"""

from __future__ import annotations


class LogblurError(Exception):
    """The base of them all; never raised itself. `exit_code` is what the command line ends with."""

    exit_code = 1


class PolicyError(LogblurError, ValueError):
    """A policy that cannot be carried out: unknown key or column, bad bound, indefensible choice.

    Args:
        message: What is wrong and what to write instead.
        path: The key at fault, such as ``fields.remote_addr.ipv4_prefix``; empty for the file as a whole.
    """

    exit_code = 2

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class FormatError(LogblurError, ValueError):
    """A log format that cannot be compiled, or a log whose format cannot be told.

    Args:
        message: What is wrong and what to write instead.
        position: Index into the *format* string, where there is one.
    """

    exit_code = 2

    def __init__(self, message: str, *, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (at character {position} of the format)")
        self.position = position


class UsageError(LogblurError, ValueError):
    """A call that cannot be carried out as given: wrong option, contradictory arguments."""

    exit_code = 2


class KeyMaterialError(LogblurError):
    """A key is missing, too short, or readable by others. Carries the key's id at most, never the key."""

    exit_code = 3


class InputError(LogblurError):
    """A log cannot be read to its end: missing, unreadable, corrupt, truncated, or too many rejects.

    Args:
        message: What is wrong and what to do next.
        source: Display name of the log.
        offset: Bytes into the decompressed stream, where known.
    """

    exit_code = 4

    def __init__(self, message: str, *, source: str = "", offset: int | None = None) -> None:
        where = f"{source}: " if source else ""
        super().__init__(f"{where}{message}" if offset is None else f"{where}{message} (at byte {offset})")
        self.source = source
        self.offset = offset


class OutputError(LogblurError):
    """OUT or the state cannot be written, is damaged, or does not belong to this run."""

    exit_code = 5


class StateLimitError(OutputError):
    """What is to be counted would take more of the state than the operator allows."""


class LeakError(LogblurError):
    """Something that must not be published was found. Carries where and how many, never what."""

    exit_code = 6


class LockedError(LogblurError):
    """Another run holds the lock of this state."""

    exit_code = 7

"""Which logs a call means: files, folders, globs and standard input, each log once."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from logblur.errors import InputError


@dataclass(frozen=True, slots=True)
class Log:
    """One log to read.

    Attributes:
        path: Where it is; None is standard input.
    """

    path: Path | None

    @property
    def name(self) -> str:
        """How messages call it: what was given, with everything a terminal could act on escaped."""
        return "standard input" if self.path is None else printable(os.fspath(self.path))


def find_logs(patterns: Sequence[str], *, may_be_empty: bool = False) -> list[Log]:
    """Return the logs that the arguments of a call name, in their order, each once.

    A folder stands for the regular files in it and below, sorted; hidden files and editors' backups (``name~``) are
    left out, links to folders are not followed. A glob is expanded here too, since cron entries and unit files have
    no shell, and sorted; a file whose very name is the pattern goes first. ``-`` is standard input.
    Two names of one file, by links of either kind, are one log: the first name given.

    Args:
        patterns: The arguments, as typed.
        may_be_empty: A folder or a glob without a log is fine.

    Raises:
        InputError: Something is missing, a folder cannot be listed, or a folder or glob holds no log.
    """
    logs: list[Log] = []
    seen: set[tuple[int, int] | None] = set()
    for pattern in patterns:
        for path in [None] if pattern == "-" else _expand(pattern, may_be_empty=may_be_empty):
            identity = None if path is None else _identity(path)
            if identity not in seen:
                seen.add(identity)
                logs.append(Log(path))
    return logs


def printable(text: str) -> str:
    """Return the text with every character that is not printable as an escape: a file name may hold any byte."""
    return "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as the file system functions hand it over
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode() if code < 0xD800 else f"\\u{code:04x}"


def _expand(pattern: str, *, may_be_empty: bool) -> list[Path]:
    path = Path(pattern)
    if not pattern or (not os.path.lexists(path) and not glob.has_magic(pattern)):
        raise InputError("there is no such file; check the name and the working folder", source=printable(pattern))
    if path.is_dir():
        found = list(_below(path))
    elif os.path.lexists(path):
        return [path]
    else:
        matches = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207 (absolute ones too)
        found = [file for match in matches for file in (_below(match) if match.is_dir() else [match])]
    if not found and not may_be_empty:
        raise InputError("holds no log; name the files, or check the folder and the pattern", source=printable(pattern))
    return found


def _below(folder: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        name = printable(os.fsdecode(error.filename))
        raise InputError("the folder cannot be listed; check its permissions", source=name) from None

    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            file = Path(here, name)
            if not name.startswith(".") and not name.endswith("~") and file.is_file():
                yield file


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(_why(error), source=printable(os.fspath(path))) from None
    if stat.S_ISSOCK(status.st_mode) or stat.S_ISBLK(status.st_mode):
        raise InputError("is no log but a device or a socket; name a file", source=printable(os.fspath(path)))
    return status.st_dev, status.st_ino


def _why(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "the link leads nowhere; check what it points to"
    return f"cannot be looked at ({error.strerror}); check the permissions of the folders above it"

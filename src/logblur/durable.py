"""Files that survive a power cut: written beside their place, synced, renamed, and the folder synced too.

A reader finds the old file or the new one, never a part of one. Whatever the system refuses (disk full, no permission)
becomes a one-line `OutputError` that says what to do.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from logblur.errors import OutputError

TEMPORARY: Final = ".tmp"
"""How the name of a file that is being written ends; whatever is left of one is removed at the next start."""

_ADVICE: Final = {
    errno.ENOSPC: "no space is left there; free some and run again",
    errno.EDQUOT: "the disk quota is used up; free some space and run again",
    errno.EFBIG: "the limit on file sizes is reached (ulimit -f); raise it and run again",
    errno.EACCES: "permission denied; give this user access to it",
    errno.EPERM: "the system does not permit it; give this user access to it",
    errno.EROFS: "the file system is mounted read-only; mount it for writing or choose another place",
    errno.ENOENT: "it is missing; restore it or choose another place",
    errno.ENOTDIR: "a part of this path is a file; choose another place",
    errno.EISDIR: "it is a folder where a file belongs; move it away",
    errno.EEXIST: "there is a file already, and it stays; choose another name, or move it away",
    errno.ELOOP: "it is a symbolic link where a file belongs; move it away",
}


def step(name: str) -> None:
    """Mark a point between two durable steps; does nothing. Crash tests replace it and end the process there."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the system refuses into an `OutputError` about ``path``."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, os.strerror(error.errno or errno.EIO).lower())
        raise OutputError(f"{path}: {advice}") from None


def make_folder(path: Path, *, mode: int = 0o777) -> None:
    """Leave a folder at ``path`` that survives a power cut; ``mode`` is that of the last folder where it is new."""
    with explained(path):
        if path.is_dir():
            return
        if path.parent != path:
            make_folder(path.parent)
        with suppress(FileExistsError):
            path.mkdir(mode)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "")
        sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    with explained(path):
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_file(
    path: Path, *parts: bytes | memoryview, mode: int = 0o666, beside: Path | None = None, over: bool = True
) -> None:
    """Leave a file of exactly these bytes at ``path``, or what was there before.

    Args:
        path: Where the file belongs. Its folder exists.
        parts: The bytes, in order.
        mode: Permissions before the umask.
        beside: The folder that holds it while it is written, on the same file system; by default that of ``path``.
        over: Whether it may take the place of a file that is there.

    Raises:
        OutputError: The system refused; ``path`` is as it was.
    """
    temporary = (beside or path.parent) / f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}"
    with explained(path):
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
            try:
                for part in parts:
                    rest = memoryview(part).cast("B")
                    while rest:
                        rest = rest[os.write(handle, rest) :]
                os.fsync(handle)
            finally:
                os.close(handle)
            step(f"written {path.suffix}")
            if over:
                temporary.replace(path)
            else:
                path.hardlink_to(temporary)
                temporary.unlink()
        except OSError:
            with suppress(OSError):
                temporary.unlink()
            raise
    step(f"renamed {path.suffix}")
    sync_folder(path.parent)


def write_scratch(path: Path, *parts: bytes) -> None:
    """Write a new file for its owner alone that need not survive a power cut.

    Raises:
        OutputError: The system refused; a part of it may be left.
    """
    with explained(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed run left half written in ``folder``."""
    with explained(folder):
        for path in folder.glob(f"*{TEMPORARY}"):
            path.unlink(missing_ok=True)

"""Removing a raw log that is not needed any more, and nothing else: no link is followed, none goes that is written."""

from __future__ import annotations

import fcntl
import os
import signal
import stat

from logblur.errors import InputError
from logblur.sources.find import Log


def is_finished(fd: int) -> bool:
    """Say whether no process has this file open for writing, so that its end is its end; False where nobody knows.

    Source:
        fcntl(2), "Leases": a read lease can be had only where no process has the file open for writing; it is this
        user's file, or this process may lease any.
    """
    if not _lease(fd):
        return False
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return True


def _lease(fd: int) -> bool:
    if not hasattr(fcntl, "F_SETLEASE"):  # Linux alone knows who else has a file open
        return False
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # what tells of a breaker would end the process by default
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError:
        return False
    return True


def discard(log: Log, expected: tuple[int, int, int], *, dry_run: bool = False) -> bool:
    """Remove a log's file, if it is still the file that was counted and nobody writes to it.

    Args:
        log: A file. One that is a link, or lies behind one, stays: it may be anywhere.
        expected: Its size, modification time in ns and inode when it was counted.
        dry_run: Say only what would happen.

    Returns:
        Whether it went.

    Raises:
        InputError: The system refuses.
    """
    assert log.path is not None
    if os.path.realpath(log.path) != os.path.abspath(log.path):  # noqa: PTH100 - Path would resolve the link
        return False
    try:
        folder = os.open(log.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(log, error) from None
    try:
        fd = os.open(log.path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
        try:
            now = os.fstat(fd)
            same = (now.st_size, now.st_mtime_ns, now.st_ino) == expected and stat.S_ISREG(now.st_mode)
            if not (same and _lease(fd)):  # held until it is closed: who wants to write, waits
                return False
            if not dry_run:
                os.unlink(log.path.name, dir_fd=folder)
                os.fsync(folder)
            return True
        finally:
            os.close(fd)
    except OSError as error:
        raise _refused(log, error) from None
    finally:
        os.close(folder)


def _refused(log: Log, error: OSError) -> InputError:
    return InputError(
        f"cannot be removed ({os.strerror(error.errno or 0).lower()}); give this user the right to, or do it by hand",
        source=log.name,
    )

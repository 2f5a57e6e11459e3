"""What makes a log the same log: its bytes, whatever its name, inode or compression.

Privacy:
    Only digests under a random key of the state are kept, never a value of a line or a file name. Who holds the state
    can still ask whether a log that he knows to the last byte has been counted.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from stat import S_ISREG
from typing import Final, Protocol

HEAD_SIZE: Final = 64 << 10
"""Bytes at the start of a log, after its header lines, that tell it from others."""

TAIL_SIZE: Final = 4 << 10
"""Bytes before the point reached that tell whether a log is the same, grown."""

MARK_EVERY: Final = 16 << 10
"""Bytes from one mark to the next, behind the head."""

EVIDENCE: Final = 8
"""Ends of lines that a log must have in common with a part of a known one to be taken for a copy of it."""

WINDOW: Final = 256
"""Bytes before a mark that it is a digest of."""

UNKNOWN: Final = 0
"""A mark that fits any bytes: within a line so long that it was cut."""


class LogContent(Protocol):
    """Raw bytes of one log, decompressed."""

    def head(self, n: int) -> bytes:
        """Return the first ``n`` bytes; fewer where the log is shorter."""
        ...

    def tail(self, offset: int) -> bytes:
        """Return the up to `TAIL_SIZE` bytes before ``offset``; none where the log does not reach it."""
        ...


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a log.

    Attributes:
        start: Where it begins: behind the header lines, those that begin with ``#`` before any other.
        data: Up to `HEAD_SIZE` bytes from there on.
    """

    start: int
    data: bytes = field(repr=False)

    @classmethod
    def of(cls, content: LogContent) -> Head:
        """Return the head of a log. Of header lines at most `HEAD_SIZE` bytes are passed over."""
        data, start = content.head(2 * HEAD_SIZE), 0
        while start < HEAD_SIZE and data[start : start + 1] == b"#" and (end := data.find(b"\n", start)) >= 0:
            start = end + 1
        return cls(start, data[start : start + HEAD_SIZE])


@dataclass(frozen=True, slots=True)
class FileStat:
    """What the system says of a log's file, taken *before* it is read."""

    name: str
    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path | None) -> FileStat | None:
        """Return what the system says of a file now; None for a pipe or what cannot be asked."""
        if path is None:
            return None
        try:
            about = path.stat()
        except OSError:
            return None
        name = os.fspath(path.absolute())
        return cls(name, about.st_size, about.st_mtime_ns, about.st_ino) if S_ISREG(about.st_mode) else None


class Identity:
    """Digests under the state's key, one purpose each."""

    __slots__ = ("_key", "_marking")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._marking = hashlib.blake2b(digest_size=1, key=key, person=b"mark")

    def heads(self, head: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
        """Yield the digest of each prefix of ``head`` whose size is in ``sizes`` (ascending), in one pass."""
        running = hmac.new(self._key, b"head\0", hashlib.sha256)
        done = 0
        for size in sizes:
            if size > len(head):
                return
            running.update(head[done:size])
            done = size
            yield running.copy().digest()

    def lines(self, head: bytes) -> bytes:
        """Return a byte for each end of a line, a digest of ``head`` up to there; one for its end where there is none.

        Privacy:
            A byte leaves open what a line says: of all that could stand there one in 256 fits. Digests long enough to
            stand for a line would let the state's holder guess a log line by line.
        """
        running = hashlib.blake2b(digest_size=1, key=self._key, person=b"line")
        *lines, rest = head.split(b"\n")
        digests = bytearray()
        for line in [line + b"\n" for line in lines] or [rest]:
            running.update(line)
            digests += running.copy().digest()
        return bytes(digests)

    def mark(self, window: bytes | memoryview) -> int:
        """Return the mark behind these `WINDOW` bytes, one byte that is not `UNKNOWN`; as private as those of lines."""
        running = self._marking.copy()  # the key is hashed once
        running.update(window)
        return running.digest()[0] or 1

    def tail(self, tail: bytes) -> bytes:
        """Return the digest of the bytes before a point."""
        return self._digest("tail", tail[-TAIL_SIZE:])

    def file(self, file: FileStat) -> tuple[bytes, bytes]:
        """Return a digest of a file's name and one of what else the system says of it."""
        stat = f"{file.size} {file.mtime_ns} {file.inode}"
        return self._digest("name", file.name.encode(errors="surrogateescape")), self._digest("stat", stat.encode())

    def id(self) -> str:
        """Return what names the key and says nothing of it."""
        return self._digest("id", b"").hex()[:16]

    def _digest(self, purpose: str, data: bytes) -> bytes:
        return hmac.digest(self._key, purpose.encode() + b"\0" + data, "sha256")


class Marks:
    """The marks of a log that is being read, segment by segment: behind its head, at fixed offsets.

    Args:
        identity: The state's digests.
        origin: Where the log's head starts; offsets count from there.
        offset: Where reading begins, bytes into the decompressed log.
    """

    __slots__ = ("_before", "_identity", "_marks", "_next", "_position")

    def __init__(self, identity: Identity, origin: int, offset: int) -> None:
        self._identity = identity
        self._next = origin + next(mark_offsets(max(offset - origin, 0)))
        self._position, self._before, self._marks = offset, b"", bytearray()

    def __call__(self, offset: int, lines: memoryview) -> None:
        """Take in bytes of the log, in their order; where some are left out, the marks there are `UNKNOWN`."""
        if offset != self._position:
            self._skip_to(offset)
            self._before = b""
        while self._next <= offset + len(lines):
            at = self._next - offset
            window = lines[at - WINDOW : at] if at >= WINDOW else (self._before + bytes(lines[:at]))[-WINDOW:]
            self._marks.append(self._identity.mark(window) if len(window) == WINDOW else UNKNOWN)
            self._next += MARK_EVERY
        self._before = (self._before + bytes(lines[-WINDOW:]))[-WINDOW:]
        self._position = offset + len(lines)

    def take(self, stop: int) -> bytes:
        """Return the marks up to where a segment ends, without those of the segments before."""
        self._skip_to(stop)
        marks, self._marks = bytes(self._marks), bytearray()
        return marks

    def _skip_to(self, offset: int) -> None:
        while self._next <= offset:
            self._marks.append(UNKNOWN)
            self._next += MARK_EVERY


def mark_offsets(counted: int) -> Iterator[int]:
    """Yield where marks are, bytes behind the start of the head, in a segment that starts at ``counted``."""
    return itertools.count(max(HEAD_SIZE, (counted // MARK_EVERY + 1) * MARK_EVERY), MARK_EVERY)

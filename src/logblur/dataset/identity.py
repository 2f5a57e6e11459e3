"""What makes a log the same log: its bytes, whatever its name, inode or compression.

Privacy:
    Only digests under a random key of the state are kept, never a value of a line or a file name. Who holds the state
    can still ask whether a log that he knows to the last byte has been counted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

HEAD_SIZE: Final = 64 << 10
"""Bytes at the start of a log that tell it from others."""

TAIL_SIZE: Final = 4 << 10
"""Bytes before the point reached that tell whether a log is the same, grown."""


class LogContent(Protocol):
    """Raw bytes of one log, decompressed."""

    def head(self, n: int) -> bytes:
        """Return the first ``n`` bytes; fewer where the log is shorter."""
        ...

    def tail(self, offset: int) -> bytes:
        """Return the up to `TAIL_SIZE` bytes before ``offset``; fewer where the log begins or ends within them."""
        ...


@dataclass(frozen=True, slots=True)
class FileStat:
    """What the system says of a log's file, taken *before* it is read."""

    name: str
    size: int
    mtime_ns: int
    inode: int


class Identity:
    """Digests under the state's key, one purpose each."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

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

"""Key material: random, one file a day, 0600, synced before its first use, destroyed when the day is sealed.

From a day's 32 random bytes come, by HKDF, the key of its tokens, the key of its partials and its id. Who destroys the
file destroys all three: tokens can no longer be made from a log, and partials no longer be read.
"""

from __future__ import annotations

import os
import re
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logblur import durable
from logblur.errors import KeyMaterialError

SECRET_SIZE: Final = 32
"""Bytes of every secret on disk."""

Clock = Callable[[], datetime]
"""Gives the present time with its zone, UTC."""


class KeySource(Protocol):
    """Where random bytes come from: `system_keys`, or in tests a function that repeats itself."""

    def __call__(self, purpose: str, size: int) -> bytes:
        """Return ``size`` bytes. Each secret asks with a ``purpose`` of its own."""
        ...


def system_keys(purpose: str, size: int) -> bytes:  # noqa: ARG001
    """Return random bytes of the operating system."""
    return os.urandom(size)


@dataclass(frozen=True, slots=True)
class DayKey:
    """The keys of one day.

    Attributes:
        day: The day they belong to.
        id: 16 hex digits; names the key and may be published.
        token_key: 16 bytes, for the SipHash tokens of visitors and clients.
        partial_key: 32 bytes, for AES-256-GCM over the day's partials.

    Privacy:
        With ``token_key`` a token can be traced to an address by trying them all; without it, it is a random number.
        The id is an output of HKDF beside the keys and says nothing of them.
    """

    day: date
    id: str
    token_key: bytes = field(repr=False)
    partial_key: bytes = field(repr=False)

    @classmethod
    def derive(cls, day: date, secret: bytes) -> DayKey:
        """Return the keys that follow from a day's secret.

        Source:
            RFC 5869; one ``info`` for each use, so that no key says anything of another.
        """
        return cls(
            day,
            _expand(secret, f"id {day}", 8).hex(),
            _expand(secret, f"tokens {day}", 16),
            _expand(secret, f"partials {day}", 32),
        )


def _expand(secret: bytes, purpose: str, size: int) -> bytes:
    return HKDF(SHA256(), size, salt=None, info=f"logblur 1 {purpose}".encode()).derive(secret)


class DayKeys:
    """The folder that holds one file for each day whose key lives."""

    __slots__ = ("_folder", "_lock", "_source")

    def __init__(self, folder: Path, source: KeySource) -> None:
        self._folder = folder
        self._source = source
        self._lock = threading.Lock()  # two workers that meet a new day at once get one key

    def get_or_create(self, day: date) -> DayKey:
        """Return a day's keys; where there are none, the new secret is on disk before this returns.

        Raises:
            KeyMaterialError: There is a key file, but it cannot be trusted.
        """
        with self._lock:
            if not self._path(day).exists():
                create_secret(self._path(day), self._source(f"day key {day}", SECRET_SIZE))
            return self.get(day)

    def get(self, day: date) -> DayKey:
        """Return a day's keys.

        Raises:
            KeyMaterialError: The key is missing or cannot be trusted.
        """
        return DayKey.derive(day, load_secret(self._path(day)))

    def days(self) -> list[date]:
        """Return the days that have a key, ascending."""
        with durable.explained(self._folder):
            names = [path.name for path in self._folder.glob("*.key")]
        return sorted(date.fromisoformat(name[:-4]) for name in names if re.fullmatch(r"\d{4}-\d\d-\d\d\.key", name))

    def destroy(self, day: date) -> None:
        """Leave no key of this day: overwritten, synced, unlinked, the folder synced. Nothing happens without one.

        Privacy:
            Out of reach are copies that others made: backups, snapshots, remapped flash blocks.
        """
        path = self._path(day)
        with durable.explained(path):
            try:
                handle = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return
            try:
                os.write(handle, bytes(os.fstat(handle).st_size))
                os.fsync(handle)
            finally:
                os.close(handle)
            durable.step("key overwritten")
            path.unlink()
        durable.sync_folder(self._folder)

    def _path(self, day: date) -> Path:
        return self._folder / f"{day.isoformat()}.key"


def create_secret(path: Path, secret: bytes) -> None:
    """Write a new secret that this user alone can read; it is on disk when this returns."""
    if len(secret) != SECRET_SIZE:
        raise KeyMaterialError(f"{path}: the key source gave {len(secret)} bytes instead of {SECRET_SIZE}")
    durable.write_file(path, secret, mode=0o600)


def load_secret(path: Path) -> bytes:
    """Read a secret, if nobody but this user could have.

    Raises:
        KeyMaterialError: The file is missing, no plain file, someone else's, open to others, of a wrong size, or
            overwritten.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise KeyMaterialError(f"{path}: the key is missing; restore the state as a whole, or start anew") from None
    except OSError as error:
        raise KeyMaterialError(f"{path}: the key cannot be read ({os.strerror(error.errno or 0).lower()})") from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise KeyMaterialError(f"{path}: this is no plain file; a key belongs there")
        if about.st_uid != os.geteuid():
            raise KeyMaterialError(f"{path}: the key belongs to another user; run as its owner")
        if about.st_mode & 0o077:
            raise KeyMaterialError(f"{path}: others can read this key; see who did, then chmod 600 it")
        secret = os.read(handle, SECRET_SIZE + 1)
    finally:
        os.close(handle)
    if len(secret) != SECRET_SIZE:
        raise KeyMaterialError(f"{path}: a key has {SECRET_SIZE} bytes, this file does not; restore it from a backup")
    if not any(secret):  # killed between overwriting and unlinking: the key of nobody must not become one of anybody
        raise KeyMaterialError(f"{path}: this key was being destroyed; remove the file to finish it")
    return secret

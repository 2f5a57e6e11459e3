"""Key material: random, one file a day, 0600, synced before its first use, destroyed when the day is sealed.

From a day's 32 random bytes come, by HKDF, the key of its tokens, the key of its partials and its id. Who destroys the
file destroys all three: tokens can no longer be made from a log, and partials no longer be read.

Beside these there are keys that the operator names, for what is to be read again or joined over days. They are used as
they are, so that other programs of the same method read what they made.
"""

from __future__ import annotations

import base64
import os
import re
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logblur import durable
from logblur.errors import KeyMaterialError, OutputError

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
        destroy_secret(self._path(day))

    def _path(self, day: date) -> Path:
        return self._folder / f"{day.isoformat()}.key"


def create_secret(path: Path, secret: bytes) -> None:
    """Write a new secret that this user alone can read; it is on disk when this returns."""
    if len(secret) != SECRET_SIZE:
        raise KeyMaterialError(f"{path}: the key source gave {len(secret)} bytes instead of {SECRET_SIZE}")
    durable.write_file(path, secret, mode=0o600)


def destroy_secret(path: Path) -> None:
    """Leave no secret at this path: overwritten, synced, unlinked, the folder synced. Nothing happens without one."""
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
    durable.sync_folder(path.parent)


def is_overwritten(path: Path) -> bool:
    """Say whether a file holds zeros alone: `destroy_secret` was killed before it was gone."""
    with durable.explained(path), path.open("rb") as file:
        start = file.read(_LARGEST)
    return bool(start) and not any(start)


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


# Keys that the operator names

OPERATOR_SIZES: Final = (16, 32)
"""Bytes that an operator's key can have; its method says which."""

_LARGEST: Final = 4096  # bytes that are read where a key is expected
_HEX: Final = re.compile(rb"[0-9A-Fa-f]{32}|[0-9A-Fa-f]{64}")
_TEXT: Final = re.compile(rb"[\t\n\r -~]*")
_BASE64: Final = re.compile(rb"[0-9A-Za-z+/_-]{22}==|[0-9A-Za-z+/_-]{43}=")


@dataclass(frozen=True, slots=True)
class OperatorKey:
    """A key that the operator named.

    Attributes:
        name: What the policy calls it.
        id: 16 hex digits; names the key and may be published. The same bytes have the same id under any name.
        secret: The key itself, 16 or 32 bytes.

    Privacy:
        Who has the secret reads every address that was encrypted under it, and can test guesses of what was made a
        pseudonym, of any day. The id is an output of HKDF and says nothing of it.
    """

    name: str
    id: str
    secret: bytes = field(repr=False)


def load_operator_key(
    name: str, kind: Literal["file", "env", "fd"], place: str, *, to_destroy: bool = False
) -> OperatorKey:
    """Read a key that the operator named, if nobody could have read it but this user and root.

    Args:
        name: What the policy calls it; errors say it.
        kind: A file, an environment variable, or a file descriptor that is open.
        place: Its path, name, or number.
        to_destroy: Whoever could read it: it is to be destroyed.

    Returns:
        The key. What is read is 32 or 64 hex digits, or 16 or 32 bytes in base64 (padded, of either alphabet), white
        space around them, or else 16 or 32 bytes as they are, which are no text.

    Raises:
        KeyMaterialError: It is missing, open to others, someone else's, or of another length; never says a byte of it.
    """
    where = {"file": place, "env": f"the environment variable {place}", "fd": f"descriptor {place}"}[kind]
    try:
        raw = _read(kind, place, trusted=not to_destroy)
        secret = _decoded(raw)
    except _UntrustedError as error:
        raise KeyMaterialError(f"the key {name!r} ({where}) {error}") from None
    return OperatorKey(name, _expand(secret, "operator id", 8).hex(), secret)


def create_operator_key(path: Path, size: int, source: KeySource) -> str:
    """Write a new random key as hex digits that this user alone can read; it is on disk when this returns.

    Returns:
        Its id.

    Raises:
        OutputError: There is a file already, or no folder for it, or the system refuses.
    """
    if not path.parent.is_dir():
        raise OutputError(f"{path.parent}: there is no such folder; make it first (mkdir -m 700)")
    secret = source("operator key", size)
    durable.write_file(path, secret.hex().encode() + b"\n", mode=0o600, over=False)
    return _expand(secret, "operator id", 8).hex()


class _UntrustedError(Exception):
    """Why a key is not used, in words that follow its name."""


def _read(kind: str, place: str, *, trusted: bool) -> bytes:
    if kind == "env":
        value = os.environb.get(os.fsencode(place))
        if value is None:
            raise _UntrustedError("is not set; set it where logblur is started")
        return value
    try:
        if kind == "fd":
            return _content(int(place), trusted=trusted)
        handle = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return _content(handle, trusted=trusted)
        finally:
            os.close(handle)
    except FileNotFoundError:
        raise _UntrustedError("is missing; restore it, or make a new one with logblur keys new") from None
    except OSError as error:
        raise _UntrustedError(f"cannot be read ({os.strerror(error.errno or 0).lower()})") from None


def _content(handle: int, *, trusted: bool) -> bytes:
    """Return what an open file or pipe holds; a file only if others could not have read it."""
    about = os.fstat(handle)
    if stat.S_ISFIFO(about.st_mode) or stat.S_ISSOCK(about.st_mode):
        os.set_blocking(handle, True)
        data = b""
        while len(data) <= _LARGEST and (more := os.read(handle, _LARGEST)):
            data += more
        return data
    if not stat.S_ISREG(about.st_mode):
        raise _UntrustedError("is no plain file; a key belongs there")
    if trusted and about.st_nlink:  # one without a name (memfd) nobody else can open
        if about.st_uid not in {0, os.geteuid()}:
            raise _UntrustedError("belongs to another user; give it to the one that logblur runs as, or to root")
        if about.st_mode & 0o077:
            raise _UntrustedError("can be read by others; see who did, then chmod 600 it, or make a new one")
    return os.pread(handle, _LARGEST + 1, 0)


def _decoded(raw: bytes) -> bytes:
    if raw and not any(raw):
        raise _UntrustedError("is all zeros: it was being destroyed; destroy it again, or make a new one elsewhere")
    text = raw.strip()
    if _HEX.fullmatch(text):
        secret = bytes.fromhex(text.decode())
    elif _BASE64.fullmatch(text):
        secret = base64.urlsafe_b64decode(text.translate(bytes.maketrans(b"+/", b"-_")))
    else:
        secret = raw
    # random bytes are no printable text: what is, is a passphrase, which can be guessed, or some other file
    if len(secret) not in OPERATOR_SIZES or _TEXT.fullmatch(secret) or not any(secret):
        raise _UntrustedError("is none: it should be 16 or 32 random bytes, as they are, as hex digits or in base64")
    return secret

"""Keyed replacements: still personal data, never called anonymous, and dead when the day's key dies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.errors import UsageError
from logblur.placeholders import NONE


def hmac_sha256(key: bytes, start: bytes = b"") -> Callable[[bytes], bytes]:
    """Return the function that gives HMAC-SHA-256 under the key of ``start`` and a message.

    Key and start are taken in once; each message then costs two copies of a state, 1 µs, a third of `hmac.digest`.

    Source:
        RFC 2104, FIPS 198-1; verified against RFC 4231 and Wycheproof in the tests.
    """
    block = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner, outer = (
        hashlib.sha256(bytes(b ^ 0x36 for b in block) + start),
        hashlib.sha256(bytes(b ^ 0x5C for b in block)),
    )

    def mac(message: bytes) -> bytes:
        first, second = inner.copy(), outer.copy()
        first.update(message)
        second.update(first.digest())
        return second.digest()

    return mac


def field_mac(key: bytes, *, field: str) -> Callable[[bytes], bytes]:
    """Return the function that gives, in its first 16 bytes, a value's pseudonym in this field."""
    if "\0" in field:
        raise UsageError("a field's name holds no NUL: it ends the label that keeps fields apart")
    return hmac_sha256(key, b"logblur pseudonym 1\0" + field.encode() + b"\0")


def pseudonyms(
    values: Sequence[bytes | None],
    codes: npt.NDArray[np.signedinteger],
    days: npt.NDArray[np.int32],
    keys: Sequence[bytes],
    *,
    field: str,
) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Return each row's pseudonym as codes into distinct texts: HMAC-SHA-256 under the day's key, 128 bits in hex.

    Args:
        values: The distinct values; None gives ``(none)``.
        codes: (rows) into ``values``.
        days: (rows) into ``keys``.
        keys: The token key of each day.
        field: Keeps the same value in two fields apart.

    Privacy:
        Rows of one value and day can be linked; without the key a value can neither be found nor tested.

    Cost:
        One HMAC for each distinct (value, day).

    Source:
        RFC 2104, FIPS 198-1.
    """
    pairs, rows = np.unique(days.astype(np.int64) * max(len(values), 1) + codes, return_inverse=True)
    macs = [field_mac(key, field=field) for key in keys]
    texts = []
    for pair in pairs.tolist():
        day, code = divmod(pair, len(values))
        value = values[code]
        texts.append(NONE if value is None else macs[day](value)[:16].hex())
    return rows.astype(np.int32), pa.array(texts, pa.string())

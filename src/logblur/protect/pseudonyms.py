"""Keyed replacements: still personal data, never called anonymous, and dead when the day's key dies."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.schema import NONE


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
    label = b"logblur pseudonym 1\0" + field.encode() + b"\0"
    texts = []
    for pair in pairs.tolist():
        day, code = divmod(pair, len(values))
        value = values[code]
        texts.append(NONE if value is None else hmac.digest(keys[day], label + value, "sha256")[:16].hex())
    return rows.astype(np.int32), pa.array(texts, pa.string())

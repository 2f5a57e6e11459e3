r"""Bytes as a server logged them, to text: unescaped, valid UTF-8, null for nothing.

Source: `ap_escape_logitem` (Apache httpd 2.4, server/util.c) and nginx's ``log_format escape=default``: both write
``\xHH`` for bytes outside printable ASCII; Apache also ``\"``, ``\\`` and the C escapes.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_ESCAPE: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\bnrtv]))")
_C_ESCAPES: Final = {b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}


def text_of(raw: bytes) -> str | None:
    r"""Return the text that a server wrote as these bytes, None for ``-`` and for nothing.

    Bytes that are not UTF-8 after unescaping become ``\xHH``.
    """
    if raw in {b"", b"-"}:
        return None
    if b"\\" in raw:
        raw = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else _C_ESCAPES.get(m[2], m[2]), raw)
    return raw.decode("utf-8", "backslashreplace")


def texts_of(arena: npt.NDArray[np.uint8], limits: npt.NDArray[np.int64], count: int) -> pa.Array:
    """Return `text_of` of each of ``count`` byte strings, ``arena[limits[k]:limits[k + 1]]``, as large_string.

    Cost:
        Zero copies where every value is plain ASCII without a backslash; else only the odd values are touched one by
        one, and the array is put together once.
    """
    size = int(limits[count])
    used = arena[:size]
    lengths = np.diff(limits[: count + 1])
    odd = (used == 0x5C) | (used >= 0x80)
    flagged = np.zeros(count, bool)
    if odd.any():
        flagged[np.searchsorted(limits[1 : count + 1], np.flatnonzero(odd), side="right")] = True
    null = lengths == 0
    null[lengths == 1] = arena[limits[:count][lengths == 1]] == 0x2D
    plain = (
        pa.LargeStringArray.from_buffers(
            count, pa.py_buffer(limits[: count + 1]), pa.py_buffer(used), _bitmap(null) if null.any() else None
        )
        if not flagged.any()
        else None
    )
    if plain is not None:
        return plain
    values: list[str | None] = []
    for k in np.flatnonzero(flagged).tolist():
        values.append(text_of(used[limits[k] : limits[k + 1]].tobytes()))
    safe = np.where(used >= 0x80, np.uint8(0x3F), used)  # the flagged values are replaced below
    base = pa.LargeStringArray.from_buffers(
        count, pa.py_buffer(limits[: count + 1]), pa.py_buffer(safe), _bitmap(null) if null.any() else None
    )
    import pyarrow.compute as pc

    return pc.replace_with_mask(base, pa.array(flagged), pa.array(values, pa.large_string()))


def _bitmap(null: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(~null, bitorder="little"))

r"""Bytes as a server logged them, to text: unescaped, valid UTF-8, null for nothing.

Source: `ap_escape_logitem` (Apache httpd 2.4, server/util.c) and nginx's ``log_format escape=default`` write ``\xHH``
for bytes outside printable ASCII, Apache also ``\"``, ``\\`` and the C escapes; ``escape=json`` and RFC 8259 section 7;
RFC 4180 section 2; IIS writes ``+`` for a space, CloudFront ``%20``, once ``%2520``.
"""

from __future__ import annotations

import json
import re
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from logblur.formats import Escape

_BACKSLASHED: Final = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|([\"\\bnrtv]))")
_C_ESCAPES: Final = {b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_JSON: Final = re.compile(
    rb"\\u[Dd][89ABab][0-9A-Fa-f]{2}\\u[Dd][C-Fc-f][0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[\"\\/bfnrt]"
    rb"|\\x([0-9A-Fa-f]{2})"
)
_PERCENT: Final = re.compile(rb"%([0-9A-Fa-f]{2})")

_ODD: Final = {
    Escape.NONE: b"",
    Escape.BACKSLASH: b"\\",
    Escape.JSON: b"\\",
    Escape.PERCENT: b'%+"',
    Escape.DOUBLED: b'"',
}
"""The bytes of which an escape makes others."""


def text_of(raw: bytes, escape: Escape = Escape.BACKSLASH) -> str | None:
    r"""Return the text that a server wrote as these bytes, None for ``-`` and for nothing.

    Bytes that are not UTF-8 after unescaping become ``\xHH``.
    """
    if raw in {b"", b"-"}:
        return None
    match escape:
        case Escape.BACKSLASH:
            raw = _BACKSLASHED.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else _C_ESCAPES.get(m[2], m[2]), raw)
        case Escape.JSON:
            raw = _JSON.sub(_json_unescaped, raw)
        case Escape.PERCENT:
            raw = raw.replace(b'""', b'"')
            raw = raw if b"%20" in raw or b"%2520" in raw else raw.replace(b"+", b" ")
            raw = _percent_decoded(_percent_decoded(raw) if b"%2520" in raw else raw)
        case Escape.DOUBLED:
            raw = raw.replace(b'""', b'"')
    return raw.decode("utf-8", "backslashreplace")


def _json_unescaped(found: re.Match[bytes]) -> bytes:
    if found[1]:  # no JSON, but what nginx makes of odd bytes where escape=json was forgotten
        return bytes([int(found[1], 16)])
    text: str = json.loads(b'"%b"' % found[0])
    return text.encode("utf-8", "backslashreplace")


def _percent_decoded(raw: bytes) -> bytes:
    return _PERCENT.sub(lambda m: bytes([int(m[1], 16)]), raw)


def texts_of(
    arena: npt.NDArray[np.uint8], limits: npt.NDArray[np.int64], count: int, escape: Escape = Escape.BACKSLASH
) -> pa.Array:
    """Return `text_of` of each of ``count`` byte strings, ``arena[limits[k]:limits[k + 1]]``, as large_string.

    Cost:
        Zero copies where every value is plain ASCII without an escape; else only the odd values are touched one by
        one, and the array is put together once.
    """
    used = arena[limits[0] : limits[count]]
    limits = limits[: count + 1] - limits[0]
    lengths = np.diff(limits)
    odd = used >= 0x80
    for byte in _ODD[escape]:
        odd |= used == byte
    flagged = np.zeros(count, bool)
    if odd.any():
        flagged[np.searchsorted(limits[1:], np.flatnonzero(odd), side="right")] = True
    null = lengths == 0
    null[lengths == 1] = used[limits[:-1][lengths == 1]] == 0x2D
    plain = (
        pa.LargeStringArray.from_buffers(
            count, pa.py_buffer(limits), pa.py_buffer(used), _bitmap(null) if null.any() else None
        )
        if not flagged.any()
        else None
    )
    if plain is not None:
        return plain
    values: list[str | None] = []
    for k in np.flatnonzero(flagged).tolist():
        values.append(text_of(used[limits[k] : limits[k + 1]].tobytes(), escape))
    safe = np.where(used >= 0x80, np.uint8(0x3F), used)  # the flagged values are replaced below
    base = pa.LargeStringArray.from_buffers(
        count, pa.py_buffer(limits), pa.py_buffer(safe), _bitmap(null) if null.any() else None
    )
    import pyarrow.compute as pc

    return pc.replace_with_mask(base, pa.array(flagged), pa.array(values, pa.large_string()))


def _bitmap(null: npt.NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(~null, bitorder="little"))

"""Texts as they are meant: percent-encoding, Unicode digits and dashes undone, what cannot be printed made visible."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc

from logblur.protect.detect.patterns import has, replaced

LONGEST_READ: Final = 2048
"""Characters of a raw text that are looked at; each costs up to three of them when it is encoded."""

TOKEN: Final = "{token}"  # noqa: S105  (a placeholder)
ENCODED: Final = r"%[0-9A-Fa-f]{2}|\\x[0-9A-Fa-f]{2}"  # \xHH: a byte that is not UTF-8, as parsing writes it

_ROUNDS: Final = 3
# Not printable, or printed as nothing: controls, line and paragraph separators, formats (bidi, zero width), unassigned.
_HIDDEN: Final = r"[\p{C}\p{Zl}\p{Zp}]+"
_ENCODED: Final = re.compile(ENCODED)


def spelled(texts: pa.Array) -> pa.Array:
    """Return the first `LONGEST_READ` characters of each text (large_string), decoded up to three times.

    A part between slashes that is encoded more often is ``{token}``. Decimal digits of every script become ASCII, so
    does what NFKC maps to it; dashes become hyphens, what cannot be printed U+FFFD. Null is empty.
    """
    read = pc.utf8_slice_codeunits(pc.fill_null(texts, ""), 0, LONGEST_READ)
    read = changed(read, has(read, rf"{ENCODED}|[^ -~]"), _decoded)
    return replaced(read, [(_HIDDEN, "\N{REPLACEMENT CHARACTER}")])


def changed(texts: pa.Array, which: pa.Array, change: Callable[[str], str]) -> pa.Array:
    """Return the texts with some of them changed one by one."""
    some = texts.filter(which).to_pylist()
    return pc.replace_with_mask(texts, which, pa.array(map(change, some), pa.large_string())) if some else texts


def _decoded(text: str) -> str:
    for _ in range(_ROUNDS):
        before = text
        text = unicodedata.normalize("NFKC", unquote(text.replace("\\x", "%")))
        if text == before:
            break
    if not text.isascii():
        text = "".join(map(_plain, text))
    if _ENCODED.search(text):
        return "/".join(TOKEN if _ENCODED.search(part) else part for part in text.split("/"))
    return text


def _plain(char: str) -> str:
    """Return a decimal digit of any script as ASCII, and a dash as a hyphen."""
    if char.isascii():
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    return "-" if unicodedata.category(char) == "Pd" or char == "\N{MINUS SIGN}" else char

"""Free text without addresses and e-mail addresses: lines of error logs, and lines that fit no format."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logblur.protect.spellings import spelled

_RUN: Final = re.compile(r"[0-9A-Fa-f:.]{2,}")
_QUAD: Final = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
_ZONE: Final = re.compile(r"(\{ip\})%[0-9A-Za-z_.-]+")
_MAIL: Final = r"[^\s@\"'<>(),;:=\[\]]+(?:@|%40)[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+"


def swept(texts: list[str]) -> list[str]:
    """Return texts with ``{ip}`` and ``{email}`` in the place of what is one.

    Cost:
        Linear in the characters.
    """
    out = pc.replace_substring_regex(pa.array(texts, pa.large_string()), _MAIL, "{email}").to_pylist()
    return [_ZONE.sub(r"\1", _QUAD.sub("{ip}", _RUN.sub(_address, text))) for text in out]


def _address(run: re.Match[str]) -> str:
    text = run[0]
    for cut in (text, text.rstrip(".:"), text.lstrip(".:"), text.strip(".:")):
        if spelled(cut) is not None:
            return text.replace(cut, "{ip}", 1)
    return text

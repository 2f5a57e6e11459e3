"""Free text without what identifies: lines of error logs, and lines that fit no format."""

from __future__ import annotations

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from logblur.protect.detect import Rules, named, spelled
from logblur.protect.detect import swept as detected
from logblur.protect.spellings import spelled as address

_RUN: Final = re.compile(r"[0-9A-Fa-f:.]{2,}")
_QUAD: Final = re.compile(r"(?<!\d)\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
_ZONE: Final = re.compile(r"(\{ip\})%[0-9A-Za-z_.-]+")
_MAIL: Final = r"[^\s@\"'<>(),;:=\[\]]+(?:@|%40)[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)+"


def swept(texts: list[str], own: Rules = ()) -> list[str]:
    """Return texts with a word in braces for everything that has the form of an identifier.

    Addresses (`spellings`) and e-mail addresses go first, wherever they stand; then what `detect` finds in any text,
    numbers of five digits or more among it.

    Cost:
        Linear in the characters.
    """
    made = pc.replace_substring_regex(pa.array(texts, pa.large_string()), _MAIL, "{email}").to_pylist()
    made = [_ZONE.sub(r"\1", _QUAD.sub("{ip}", _RUN.sub(_address, text))) for text in made]
    return detected(named(spelled(pa.array(made, pa.large_string()))), own, whole=False).to_pylist()  # type: ignore[no-any-return]


def _address(run: re.Match[str]) -> str:
    text = run[0]
    for cut in (text, text.rstrip(".:"), text.lstrip(".:"), text.strip(".:")):
        if address(cut) is not None:
            return text.replace(cut, "{ip}", 1)
    return text

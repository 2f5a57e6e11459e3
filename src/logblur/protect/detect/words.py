"""Words that look random, and words that are an e-mail address in base64."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from logblur.protect.detect.patterns import CHANGE
from logblur.protect.detect.spelling import TOKEN

_LONG: Final = 20  # characters: 100 bits where random; names that people give are rarely so long and mixed
_WORD: Final = re.compile(rf"[0-9A-Za-z_-]{{{_LONG},}}={{0,2}}")
_CHANGES: Final = re.compile(CHANGE)
_ENCODED: Final = re.compile(r"[0-9A-Za-z+/_-]{12,}={0,2}")
_MAIL: Final = re.compile(r"[!-~]{1,64}@[0-9A-Za-z][0-9A-Za-z.-]{0,250}\.[A-Za-z]{2,}")


def without_tokens(text: str) -> str:
    """Return a text with ``{token}`` for what looks random: a long run of letters and digits, or a mixed one."""
    return _WORD.sub(lambda word: TOKEN if _random(word[0]) else word[0], text)


def _random(word: str) -> bool:
    for run in re.split("[_=-]+", word):
        changes = len(_CHANGES.findall(run))
        if len(run) >= _LONG and changes:
            return True
        if len(run) >= 8 and changes >= 2 and not run.islower() and not run.isupper():
            return True
    return False


def without_encoded_mail(text: str) -> str:
    """Return a text with ``{email}`` for words of base64 (RFC 4648, either alphabet) that hold an e-mail address."""
    return _ENCODED.sub(lambda word: "{email}" if _holds_mail(word[0]) else word[0], text)


def _holds_mail(word: str) -> bool:
    """A word may begin with a name and a hyphen, which base64 could hold too: each part of it is tried."""
    starts = [0, *(m.end() for m in re.finditer("[_-]", word))][:8]
    return any(_decodes_to_mail(word[start:]) for start in starts)


def _decodes_to_mail(word: str) -> bool:
    plain = word.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        decoded = base64.b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error:
        return False
    return _MAIL.search(decoded.decode("latin-1")) is not None

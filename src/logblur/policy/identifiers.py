"""What identifies people in one organisation alone, such as its customer numbers: ``[identifiers]``."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import AfterValidator

from logblur.policy.rules import Name, pattern
from logblur.schema import FINDINGS


def _pattern(value: str) -> str:
    if pc.match_substring_regex(pa.array([""]), pattern(value))[0].as_py():
        raise ValueError("should not match an empty text: it would be found everywhere")
    return value


def _identifiers(value: dict[str, str]) -> dict[str, str]:
    for name, regex in value.items():
        if name in FINDINGS:
            raise ValueError(f"{name!r} is found already; choose another name")
        words = pa.array([f"{{{word}}}" for word in (*FINDINGS, *value, "long")])
        if pc.any(pc.match_substring_regex(words, regex)).as_py():
            raise ValueError(f"{name!r} matches a word in braces, which stands for what was found: say more of it")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
Identifiers = Annotated[dict[Name, Pattern], AfterValidator(_identifiers)]
"""By name, which in braces takes the place of what is found, a regular expression in linear time (RE2)."""

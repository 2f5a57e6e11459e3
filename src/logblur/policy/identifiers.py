"""What identifies people in one organisation alone, such as its customer numbers: ``[identifiers]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from logblur.policy.rules import Name, pattern
from logblur.schema import FINDINGS


def _matches(regex: str, words: list[str]) -> list[bool]:
    """Say which words a regular expression matches."""
    import pyarrow as pa  # few policies have identifiers of their own
    import pyarrow.compute as pc

    return [bool(found) for found in pc.match_substring_regex(pa.array(words), regex).to_pylist()]


def _pattern(value: str) -> str:
    if any(_matches(pattern(value), [""])):
        raise ValueError("should not match an empty text: it would be found everywhere")
    return value


def _identifiers(value: dict[str, str]) -> dict[str, str]:
    for name, regex in value.items():
        if name in FINDINGS:
            raise ValueError(f"{name!r} is found already; choose another name")
        if any(_matches(regex, [f"{{{word}}}" for word in (*FINDINGS, *value, "long")])):
            raise ValueError(f"{name!r} matches a word in braces, which stands for what was found: say more of it")
    return value


Pattern = Annotated[str, AfterValidator(_pattern)]
Identifiers = Annotated[dict[Name, Pattern], AfterValidator(_identifiers)]
"""By name, which in braces takes the place of what is found, a regular expression in linear time (RE2)."""

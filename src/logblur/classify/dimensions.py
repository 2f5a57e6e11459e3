"""Columns of a policy's own: what its patterns tell of a field. Words of the policy, never of the log."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from logblur.placeholders import NONE


def told(texts: pa.Array, values: Sequence[tuple[str, str]]) -> pa.Array:
    """Return for each text the first of the values whose pattern is found in it, `placeholders.NONE` where none is.

    Args:
        texts: large_string, distinct values of a field; null is told nothing of.
        values: What may be said, and the pattern (RE2) that tells it.

    Returns:
        string, without nulls.

    Cost:
        One pass in linear time a pattern, within Arrow.
    """
    said = pa.repeat(pa.scalar(NONE), len(texts))
    for value, pattern in reversed(values):
        said = pc.if_else(pc.fill_null(pc.match_substring_regex(texts, pattern), False), value, said)
    return said

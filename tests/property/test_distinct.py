"""Distinct counts are exact, whatever their size: people are counted by their tokens, never estimated."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from logblur.aggregate import aggregate, merge, release
from logblur.policy.plan import TablePlan
from logblur.schema import Partial
from tests.plans import plan_of, protected_of

TABLE = TablePlan("t", "all", ("path",), ("requests", "visitors", "bytes"), 10)


def partials(tokens: np.ndarray, parts: int) -> list[Partial]:
    """One path, asked for by these visitors of a third as many clients, in so many partials that overlap by half."""
    made = []
    for chunk in np.array_split(tokens, parts):
        seen = np.concatenate([chunk, tokens[: len(chunk) // 2]])
        columns = {
            "date": np.full(len(seen), 20000, np.int32),
            "universe": np.full(len(seen), 4, np.int8),
            "bytes": np.ones(len(seen), np.int64),
            "visitor": seen,
            "client": seen // np.uint64(3),
        }
        batch = {name: pa.array(column) for name, column in columns.items()}
        batch["path"] = pa.DictionaryArray.from_arrays(np.zeros(len(seen), np.int8), ["/"])
        made += aggregate(protected_of(pa.RecordBatch.from_pydict(batch)), plan_of(TABLE))
    return made


@pytest.mark.parametrize("visitors", [10, 100, 999, 1_000, 1_001, 10_000, 100_000, 1_000_000])
def test_distinct_counts_are_exact(visitors: int) -> None:
    """From ten to a million visitors the count is the number of tokens, however they are spread over partials."""
    tokens = np.arange(1 << 40, (1 << 40) + 3 * visitors, 3, dtype=np.uint64)
    np.random.default_rng(visitors).shuffle(tokens)
    found = release(merge(partials(tokens, 4)), [TABLE])["t"]
    assert found.rows.column("visitors").to_pylist() == [visitors]
    assert found.clients == len(np.unique(tokens // np.uint64(3)))

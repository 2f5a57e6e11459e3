"""Plans and protected rows for tests to which nothing matters but the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from logblur.policy import load_policy
from logblur.policy.plan import Plan, TablePlan
from logblur.policy.resolve import resolve
from logblur.schema import Protected


def plan_of(*tables: TablePlan) -> Plan:
    """The default policy's plan, with other tables."""
    return replace(resolve(load_policy("audience")), digest="0" * 64, tables=tables)


def protected_of(rows: pa.RecordBatch, told: Sequence[str] = ()) -> Protected:
    """Rows as `protect` gives them; ``told`` are the columns that stand with the people, of whom none comes twice."""
    names = ["date", "visitor", "client", *told]
    numbered = pa.table(rows.select(names)).append_column("row", pa.array(np.arange(rows.num_rows)))
    first = pa.TableGroupBy(numbered, names).aggregate([("row", "min")]).column("row_min")
    people = pa.table(rows.select(names)).take(first).combine_chunks()
    keys = {tuple(key): number for number, key in enumerate(zip(*people.to_pydict().values(), strict=True))}
    persons = [keys[key] for key in zip(*rows.select(names).to_pydict().values(), strict=True)]
    batch = rows.drop_columns(names).add_column(0, "person", pa.array(persons, pa.int32()))
    return Protected(batch, people.to_batches()[0] if keys else rows.select(names))

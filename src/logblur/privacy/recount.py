"""Raw logs, protected and counted anew by plain group-bys: who is really behind each published row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa

from logblur.classify import Memory, classify
from logblur.policy.plan import Plan
from logblur.privacy.published import TableDay, rolled
from logblur.privacy.raw import parsed
from logblur.protect import Templates, protect
from logblur.schema import UNIVERSES


@dataclass(frozen=True, slots=True)
class Crowd:
    """Who is behind a published row: distinct clients, and the largest share that one has of its requests."""

    row: int
    requests: int
    clients: int
    share: float


def protected_rows(logs: Sequence[str], plan: Plan) -> pl.DataFrame:
    """Return every line: ``line``, ``date``, ``universe``, ``client``, ``bytes``, each key column of the plan's tables.

    Raises:
        InputError, FormatError: A log cannot be read.

    Cost:
        Memory for all lines: some tens of bytes each.
    """
    key, memory, templates = bytes(range(16)), Memory(), Templates()
    columns = sorted({name for table in plan.tables for name in table.by})
    frames = []
    for batch in parsed(logs, plan.format, plan.fields):
        rows = protect(
            classify(batch, site=plan.site, memory=memory), plan, lambda _: key, columns=columns, templates=templates
        )
        table = rows.rows().drop_columns(["visitor"])
        texts = [
            pa.field(f.name, pa.large_string() if pa.types.is_dictionary(f.type) else f.type) for f in table.schema
        ]
        frame = pl.from_arrow(table.cast(pa.schema(texts)))
        assert isinstance(frame, pl.DataFrame)
        frames.append(frame.with_columns(pl.col("date").cast(pl.Date)))
    return pl.concat(frames).with_row_index("line") if frames else pl.DataFrame()


def assigned(table: TableDay, lines: pl.DataFrame) -> pl.DataFrame:
    """Return the lines of a table with the ``row`` that each stands in: the finest one that its keys lead to."""
    left = lines.filter(
        (pl.col("date") == table.day) & pl.col("universe").is_in([int(part) for part in UNIVERSES[table.where]])
    )
    rows = table.rows.with_row_index("row")
    found: list[pl.DataFrame] = []
    for depth in range(len(table.by), -1, -1):
        keys = list(table.by[:depth])
        these = rows.filter(rolled(table.by, depth))
        if keys:
            joined = left.join(these.select("row", *keys), on=keys, how="left")
        else:
            joined = left.with_columns(pl.lit(these["row"][0] if these.height else None, pl.UInt32).alias("row"))
        found.append(joined.filter(pl.col("row").is_not_null()))
        left = joined.filter(pl.col("row").is_null()).drop("row")
    return pl.concat(found)


def crowds(table: TableDay, lines: pl.DataFrame) -> list[Crowd]:
    """Return who is behind each row of a table."""
    each = assigned(table, lines).group_by("row", "client").len()
    sums = each.group_by("row").agg(
        pl.col("len").sum().alias("requests"), pl.len().alias("clients"), pl.col("len").max().alias("most")
    )
    return [
        Crowd(row, requests, clients, most / requests)
        for row, requests, clients, most in sums.select("row", "requests", "clients", "most").sort("row").iter_rows()
    ]

"""What analysts may see: a Parquet file for each table and day, and the manifest's entry of the day.

The same tables give the same bytes: the writer's options are pinned, and no wall time is written. A partition folder
holds its one file and nothing else, ever; stray files break the folder scans of Polars and DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from logblur import __version__, durable
from logblur.dataset import manifest
from logblur.policy.plan import Plan, TablePlan
from logblur.schema import MEASURES, SCHEMA_VERSION, key_type

_UNITS: Final = {"hour": "local hour of the day"} | {name: name for name in MEASURES}

_OPTIONS: Final = {
    "version": "2.6",
    "data_page_version": "1.0",
    "compression": "zstd",
    "compression_level": 3,
    "row_group_size": 1 << 20,
    "data_page_size": 1 << 20,
    "write_batch_size": 1024,
    "use_dictionary": True,
    "dictionary_pagesize_limit": 1 << 20,
    "write_statistics": True,
    "store_schema": True,
    "use_compliant_nested_type": True,
}
"""Pinned, so that a library's new defaults change no byte."""


@dataclass(frozen=True, slots=True)
class DayInfo:
    """What the files of a day say of themselves.

    Attributes:
        plan: The Plan the day opened with.
        key_id: The id of the day's key.
        sealed: This is the final publish of the day.
        rolled_up: By table, requests that were moved into ``(other)``.
        builds: The builds of databases that lines of the day were looked up in, by the column that they give.
    """

    plan: Plan
    key_id: str
    sealed: bool
    rolled_up: Mapping[str, int]
    builds: Mapping[str, Sequence[str]] = field(default_factory=dict)


def publish_day(out: Path, day: date, tables: Mapping[str, pa.Table], info: DayInfo) -> None:
    """Leave a day's finished tables in OUT, on disk, and the manifest saying so; then the day may be marked clean.

    Args:
        out: OUT, tied to the state.
        day: The day.
        tables: Every table of the Plan: its ``by`` columns, then its measures, types as `schema.key_type` and
            `schema.MEASURES`, thresholds applied, sorted by their keys.
        info: What goes into metadata and manifest.

    Raises:
        OutputError: The system refused. Every file of OUT is whole, old or new; running again completes it.
        ValueError: The tables are not those of the Plan.

    Privacy:
        A file holds the rows given and nothing else: no page, dictionary or statistic knows of other values, because
        text is handed to the writer as plain strings. A table without rows does not say whether anyone came.

    Cost:
        A file whose bytes would be the same is not written again.
    """
    rendered = {plan.name: _render(tables[plan.name], plan, info) for plan in info.plan.tables}
    if len(tables) != len(rendered):
        raise ValueError("a table that is not in the Plan")
    before, name_of_day = manifest.required(out), info.plan.period.label(day)
    for name, data in rendered.items():
        folder = out / name / info.plan.period.folder(day)
        path = folder / f"{name}.parquet"
        durable.make_folder(folder)
        with durable.explained(path):
            same = path.exists() and path.read_bytes() == data
        if not same:
            durable.write_file(path, data, beside=manifest.temporary_folder(out))
    entry: dict[str, Any] = {
        "key_id": info.key_id,
        "late": before.days.get(name_of_day, {}).get("late", 0),
        "policy": {"name": info.plan.name, "digest": info.plan.digest},
        "sealed": info.sealed,
        "tables": {
            plan.name: {
                "k": plan.min_clients,
                "rolled_up": manifest.rounded(info.rolled_up.get(plan.name, 0)),
                "rows": tables[plan.name].num_rows,
                "universe": plan.where,
                "withheld": tables[plan.name].num_rows == 0,
            }
            for plan in info.plan.tables
        },
    }
    if info.builds:
        entry["databases"] = info.builds
    manifest.save(out, replace(before, days={**before.days, name_of_day: entry}))


def _render(table: pa.Table, plan: TablePlan, info: DayInfo) -> pa.Buffer:
    import pyarrow.parquet as pq

    types = {name: key_type(name) for name in plan.by} | {name: MEASURES[name] for name in plan.measures}
    if dict(zip(table.schema.names, table.schema.types, strict=True)) != types or table.schema.names != list(types):
        raise ValueError(f"the columns of {plan.name} are not those of the Plan")
    if any(table[name].null_count for name in types if name != "hour"):
        raise ValueError(f"a null in {plan.name}")
    metadata = {
        "logblur.version": __version__,
        "logblur.schema_version": str(SCHEMA_VERSION),
        "logblur.policy": info.plan.name,
        "logblur.policy_digest": info.plan.digest,
        "logblur.key_id": info.key_id,
        "logblur.table": plan.name,
        "logblur.universe": plan.where,
        "logblur.k": str(plan.min_clients),
    }
    if info.builds:
        metadata["logblur.databases"] = json.dumps(info.builds, sort_keys=True)
    fields = [
        pa.field(name, kind, nullable=name == "hour", metadata={"unit": _UNITS[name]} if name in _UNITS else None)
        for name, kind in types.items()
    ]
    columns = [column.combine_chunks() for column in table.columns]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(columns, schema=pa.schema(fields, metadata=metadata)), sink, **_OPTIONS)
    return sink.getvalue()

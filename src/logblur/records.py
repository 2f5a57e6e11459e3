"""Logs as a Polars `LazyFrame` of protected rows. The one file that uses Polars' IO-source hook (marked unstable)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from logblur.classify import Memory, classify
from logblur.parse import Parser
from logblur.parse.detect import SAMPLE_BYTES, choose
from logblur.periods import Period
from logblur.policy import Policy, load_policy
from logblur.policy.plan import Plan
from logblur.policy.resolve import made_of, resolve
from logblur.protect import Templates, protect, record_columns
from logblur.protect.door import NUMBERS
from logblur.protect.named import Secrets, secrets_of
from logblur.schema import Parsed
from logblur.sources.blocks import BlockReader, sample
from logblur.sources.find import Log, find_logs
from logblur.sources.open import open_log

_BATCH_ROWS = 1 << 16
_DAY_US = 86_400_000_000


def scan(
    logs: str | Path | Sequence[str | Path],
    *,
    policy: str | Path | Policy = "audience",
    format: str | None = None,  # noqa: A002 - the option's name
) -> pl.LazyFrame:
    """Return the lines of logs as protected rows, read when the frame is collected.

    Args:
        logs: Files, folders, globs or ``-``; plain or compressed.
        policy: What becomes of each field; a file, a built-in name, or a loaded policy.
        format: Overrides the policy's ``[input] format``.

    Returns:
        ``date``, the key columns that the policy yields (docs/columns.md), ``bytes`` where ``bytes_sent`` is kept or a
        bucket, and as the policy lets them out ``time`` (kept, or by minute or second), ``bytes_received``,
        ``duration`` (microseconds), ``remote_addr``, ``remote_user``, cookies and headers. Projection and
        predicates reach the parser: a field that no column asked for needs is not even read.

    Raises:
        PolicyError, KeyMaterialError: At once. InputError, FormatError: when the log at fault is reached.

    Privacy:
        Nothing else of a line leaves; lines that do not fit are left out. There are no thresholds here: rows stay
        personal data. Pseudonyms without a key in the policy are made under random ones that die with the scan; two
        scans give different ones.

    Cost:
        One thread; memory for `_BATCH_ROWS` rows and one block.
    """
    plan = resolve(policy if isinstance(policy, Policy) else load_policy(policy), format=format)
    secrets = secrets_of(plan)
    found = find_logs([str(x) for x in ([logs] if isinstance(logs, str | Path) else logs)])
    plan = replace(plan, period=Period.DAY)  # of a single line the day is said, whatever tables count by
    schema = _schema(plan)

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = list(schema) if with_columns is None else with_columns
        left = n_rows
        keys: dict[date, bytes] = {}  # of this scan alone, and of all its logs
        for log in found:
            for frame in _frames(log, plan, wanted, keys, secrets, min(batch_size or _BATCH_ROWS, _BATCH_ROWS)):
                rows = frame if left is None else frame.head(left)
                if left is not None:
                    left -= rows.height
                yield (rows if predicate is None else rows.filter(predicate))
                if left == 0:
                    return

    return register_io_source(source, schema=schema, validate_schema=True)


def _schema(plan: Plan) -> pl.Schema:
    records = record_columns(plan)
    kinds: dict[str, pl.DataType] = {"date": pl.Date()}
    numbers: dict[str, pl.DataType] = {"hour": pl.Int8(), "time": pl.Datetime("us", plan.zone.key)}
    numbers |= dict.fromkeys(NUMBERS, pl.Int64())
    for name in (*records, *plan.columns):
        kinds[name] = numbers.get(name, pl.String())
    if plan.methods.get("bytes_sent") in {"keep", "bucket"}:
        kinds["bytes"] = pl.Int64()
    return pl.Schema(kinds)


def _fields(wanted: Sequence[str], plan: Plan) -> set[str]:
    """Return the parsed columns that these columns are made of."""
    fields = {"time"} | ({"bytes_sent"} if "bytes" in wanted else set()) | set(wanted) & set(record_columns(plan))
    for name in set(wanted) & set(plan.columns):
        made = made_of(name, plan.dimensions)
        fields |= {"referer_host" if field == "referer" else field for field in made} | set(made)
    fields |= {"query"} if "path" in fields else set()
    return (fields | (plan.signals.fields if plan.signals else set())) & set(plan.fields)


def _frames(
    log: Log, plan: Plan, wanted: Sequence[str], keys: dict[date, bytes], secrets: Secrets, rows: int
) -> Iterator[pl.DataFrame]:
    memory, templates = Memory(), Templates()
    columns = [name for name in wanted if name not in {"date", "bytes"}]

    def frame(parsed: Parsed) -> pl.DataFrame:
        classified = classify(
            parsed.batch,
            site=plan.site,
            memory=memory,
            pages=plan.pages,
            dimensions=plan.dimensions,
            follow_campaigns=plan.follows_campaigns,
        )
        made = protect(
            classified,
            plan,
            lambda day: keys.setdefault(day, os.urandom(16)),
            columns=columns,
            templates=templates,
            secrets=secrets,
        )
        batch = made.rows().select(list(wanted))
        text = pa.schema([pa.field(f.name, _plain(f)) for f in batch.schema])
        out = pl.from_arrow(batch.cast(text))
        assert isinstance(out, pl.DataFrame)
        return out

    with open_log(log) as content:
        reader = BlockReader(content, segment_size=1 << 62, max_line_bytes=plan.max_line_bytes)
        block = reader.read()
        form = choose(sample(content, block, SAMPLE_BYTES), plan.format)
        if block and form.follows_fields:
            block = reader.follow_directives(block)
        latest = int(datetime.now(UTC).timestamp()) * 1_000_000 + _DAY_US
        parser = Parser(
            form,
            sorted(_fields(wanted, plan)),
            latest_us=latest,
            max_line_bytes=plan.max_line_bytes,
            local=plan.log_zone,
        )
        while block:
            parser.feed(block)
            if parser.rows >= rows:
                yield frame(parser.take())
            block = reader.read()
        if parser.rows:
            yield frame(parser.take())


def _plain(field: pa.Field) -> pa.DataType:
    if field.name == "date":
        return pa.date32()
    return pa.large_string() if pa.types.is_dictionary(field.type) else field.type

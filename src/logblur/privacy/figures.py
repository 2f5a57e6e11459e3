"""Test 3: singling out, linkability, inference (WP29 opinion 05/2014), as figures for whoever has to judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from logblur.policy.plan import Plan
from logblur.privacy.published import Published
from logblur.privacy.readable import NOT_MEASURED, files_of, guarded, tables
from logblur.privacy.recount import crowds
from logblur.privacy.report import Result, Verdict

_MOST_ROWS = 1 << 20


def cell_sizes(found: Sequence[Published]) -> Result:
    """Say how large the published rows are: few requests or visitors single people out."""
    details, figures = [], {}
    for name in sorted({table.table for out in found for table in out.tables}):
        rows = [t.rows for out in found for t in out.tables if t.table == name and t.rows.height]
        for measure in ("requests", "visitors"):
            sizes = [frame[measure] for frame in rows if measure in frame.columns]
            if sizes:
                all_sizes = pl.concat(sizes)
                low, middle, high = (all_sizes.quantile(q) or 0.0 for q in (0.0, 0.5, 1.0))
                figures[f"{name}.{measure}"] = [low, middle, high]
                details.append(f"{name}: {measure} {low:,.0f} to {high:,.0f}, median {middle:,.0f}")
    return Result("cell sizes", Verdict.FIGURES, f"{len(figures)} measures", tuple(details), figures)


def singled_out(path: Path) -> Result:
    """Say how many records are alone with their attributes, and how often one attribute follows from the others."""
    details, figures = [], {}
    for file in files_of(path):
        keys = _keys(file)
        if not keys.width or not keys.height:
            continue
        alone = int(keys.is_unique().sum())
        place = file.name if file == path else str(file.relative_to(path))
        figures[place] = {"rows": keys.height, "alone": alone, "told": round(_told(keys), 4)}
        rows = f"the first {keys.height:,}" if keys.height == _MOST_ROWS else f"{keys.height:,}"
        details.append(f"{place}: {alone:,} of {rows} rows are alone with their attributes")
        details.append(f"{place}: {_told(keys):.0%} of the last attribute follow from the others")
    if not figures:
        return Result("singling out", Verdict.NOT_RUN, "PATH holds no table")
    return Result("singling out", Verdict.FIGURES, f"{len(figures)} tables", tuple(details[:40]), figures)


def _keys(file: Path) -> pl.DataFrame:
    """Return what a file's first rows say beside measures, as text; no column where it is no table."""
    frames: list[pl.DataFrame] = []
    for table in guarded(tables(file)):
        if table.num_rows and table.num_columns > 1:  # else leaves of a document, no records
            kept = table.drop_columns([name for name in table.column_names if name in NOT_MEASURED])
            frame = pl.from_arrow(kept)
            assert isinstance(frame, pl.DataFrame)
            frames.append(frame)
        if sum(frame.height for frame in frames) >= _MOST_ROWS:
            break
    rows = pl.concat(frames, how="diagonal_relaxed").head(_MOST_ROWS) if frames else pl.DataFrame()
    return rows.cast(pl.String, strict=False)


def _told(keys: pl.DataFrame) -> float:
    """Return the share of rows whose last attribute is the same in all rows that share the others: inference."""
    if keys.width < 2:
        return 0.0
    *others, last = keys.columns
    groups = keys.group_by(others).agg(pl.col(last).n_unique().alias("kinds"), pl.len().alias("rows"))
    several = groups.filter(pl.col("rows") > 1)
    return float(several.filter(pl.col("kinds") == 1)["rows"].sum()) / keys.height


def dominance(found: Sequence[Published], plan: Plan, lines: pl.DataFrame | None) -> Result:
    """Say how much of a row its largest client makes; needs the raw logs."""
    if lines is None:
        return Result("dominance", Verdict.NOT_RUN, "no raw log was given")
    shares: list[float] = []
    for table in (table for out in found for table in out.tables if table.digest == plan.digest):
        shares += [crowd.share for crowd in crowds(table, lines)]
    if not shares:
        return Result("dominance", Verdict.NOT_RUN, "no table was published under this policy")
    values = pl.Series(shares)
    middle, high = values.quantile(0.5) or 0.0, values.quantile(1.0) or 0.0
    words = f"the largest client makes {middle:.0%} of a row (median), {high:.0%} at most"
    return Result("dominance", Verdict.FIGURES, words, (), {"median": round(middle, 4), "most": round(high, 4)})

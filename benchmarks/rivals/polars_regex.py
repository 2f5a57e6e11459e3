"""Polars: one regular expression over the lines, then columns and the nine tables, lazily, on all processors."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.rivals import in_python, jobs

RIVAL = in_python(
    "polars_regex", "polars", "Polars, extract_groups", "path templates, thresholds, keyed tokens, rejects"
)


def main(log: Path, out: Path) -> None:
    """Read the log and write the tables as Parquet."""
    import polars as pl

    lines = pl.read_csv(
        log, has_header=False, separator="\x01", quote_char=None, new_columns=["line"], encoding="utf8-lossy",
        truncate_ragged_lines=True, infer_schema=False,
    )  # fmt: skip
    groups = pl.col("line").str.extract_groups(jobs.LINE).struct.rename_fields(list(jobs.FIELDS))
    rows = lines.lazy().select(groups.alias("g")).unnest("g").drop_nulls("addr")
    time = pl.col("time").str.to_datetime("%d/%b/%Y:%H:%M:%S %z", strict=False).dt.convert_time_zone("Europe/Riga")
    agents = rows.select(pl.col("agent").unique()).with_columns(
        bot=pl.col("agent").str.contains(jobs.BOT) | (pl.col("agent") == "-"),
        device=pl.when(pl.col("agent").str.contains(jobs.MOBILE)).then(pl.lit("mobile")).otherwise(pl.lit("desktop")),
        os=pl.col("agent").str.extract(jobs.SYSTEM).fill_null(""),
        browser=pl.col("agent").str.extract(jobs.BROWSER, 1).fill_null(""),
        major=pl.col("agent").str.extract(jobs.BROWSER, 2).fill_null(""),
    )
    paths = rows.select(pl.col("path").unique()).with_columns(
        asset=pl.col("path").str.contains(jobs.ASSET), file=pl.col("path").str.contains(jobs.DOWNLOAD)
    )
    host = pl.col("referer").str.extract(jobs.HOST).fill_null("")
    referers = rows.select(pl.col("referer").unique()).with_columns(
        engine=host.str.extract(jobs.ENGINE).fill_null(""), domain=host.str.extract(jobs.DOMAIN).fill_null("")
    )
    network = (
        pl.when(pl.col("addr").str.contains(":", literal=True))
        .then(pl.col("addr").str.extract(r"^([0-9a-f]*:[0-9a-f]*)") + "::/32")
        .otherwise(pl.col("addr").str.extract(r"^(\d+\.\d+)\.") + ".0.0/16")
    )
    addresses = rows.select(pl.col("addr").unique()).with_columns(network=network.fill_null("(none)"))
    full = (
        rows.with_columns(time=time, bytes=pl.col("bytes").cast(pl.Int64, strict=False).fill_null(0))
        .join(agents, on="agent").join(paths, on="path").join(referers, on="referer").join(addresses, on="addr")
        .with_columns(day=pl.col("time").dt.date(), hour=pl.col("time").dt.hour(), visitor=pl.struct("addr", "agent").hash())
        .with_columns(ok=pl.col("status").is_in(["200", "304", "206"]))
        .with_columns(
            page=~pl.col("bot") & pl.col("ok") & ~pl.col("asset") & ~pl.col("file"),
            download=~pl.col("bot") & pl.col("status").is_in(["200", "206"]) & pl.col("file"),
            error=~pl.col("bot") & (pl.col("status") >= "400"),
        )
        .select("day", "hour", "bot", "method", "path", "status", "device", "os", "browser", "major", "engine", "domain",
                "network", "agent", "page", "download", "error", "bytes", "visitor")
        .collect(engine="streaming")
    )  # fmt: skip
    sums = [pl.len().alias("requests"), pl.col("visitor").n_unique().alias("visitors"), pl.col("bytes").sum()]
    tables = [
        full.lazy().filter(pl.sql_expr(where)).group_by("day", *by).agg(sums) for where, by in jobs.TABLES.values()
    ]
    for name, table in zip(jobs.TABLES, pl.collect_all(tables), strict=True):
        table.write_parquet(out / f"{name}.parquet", compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

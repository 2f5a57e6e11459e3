"""DuckDB: `read_csv` with a space as delimiter, then SQL. Fast, and wrong wherever a quote is escaped or not closed."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.rivals import in_python, sql

RIVAL = in_python(
    "duckdb_csv", "duckdb", "DuckDB, read_csv",
    "path templates, thresholds, keyed tokens, rejects; unclosed quotes swallow lines, escapes cut fields",
)  # fmt: skip


def main(log: Path, out: Path) -> None:
    """Read the log and write the tables as Parquet."""
    import duckdb

    database = duckdb.connect()
    columns = ", ".join(
        f"'{name}': 'VARCHAR'" for name in "addr l user time zone request status bytes referer agent".split()
    )
    parsed = f"""SELECT addr, user, substr(time, 2) || ' ' || rtrim(zone, ']') AS time, split_part(request, ' ', 1) AS method,
        split_part(split_part(request, ' ', 2), '?', 1) AS path, status, bytes, referer, agent
        FROM read_csv('{log}', columns = {{{columns}}}, delim = ' ', quote = '"', escape = '\\', header = false,
                      auto_detect = false, ignore_errors = true, strict_mode = false)
        WHERE zone IS NOT NULL AND agent IS NOT NULL AND regexp_full_match(status, '[0-9]{{3}}')
          AND regexp_full_match(time, '.[0-9]{{2}}/[A-Z][a-z]{{2}}/[0-9:]+')"""
    for statement in sql.duckdb_statements(parsed, out):
        database.execute(statement)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

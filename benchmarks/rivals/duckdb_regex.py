"""DuckDB: `regexp_extract` over whole lines, then SQL."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.rivals import in_python, jobs, sql

RIVAL = in_python(
    "duckdb_regex", "duckdb", "DuckDB, regexp_extract", "path templates, thresholds, keyed tokens, rejects"
)


def main(log: Path, out: Path) -> None:
    """Read the log and write the tables as Parquet."""
    import duckdb

    database = duckdb.connect()
    pattern = jobs.LINE.replace("'", "''")
    parsed = f"""SELECT g.* FROM (SELECT regexp_extract(line, '{pattern}', {list(jobs.FIELDS)}) AS g
        FROM read_csv('{log}', columns = {{'line': 'VARCHAR'}}, delim = '\x01', quote = '', escape = '', header = false,
                      ignore_errors = true, strict_mode = false, max_line_size = 1000000)) WHERE g.addr <> ''"""
    for statement in sql.duckdb_statements(parsed, out):
        database.execute(statement)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

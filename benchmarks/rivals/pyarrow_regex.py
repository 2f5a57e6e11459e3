"""pyarrow: `extract_regex` over whole lines, then its own group-by."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.rivals import in_python, jobs

RIVAL = in_python(
    "pyarrow_regex", "pyarrow", "pyarrow, extract_regex",
    "path templates, thresholds, keyed tokens, rejects; browsers, systems and search engines",
)  # fmt: skip


def main(log: Path, out: Path) -> None:
    """Read the log and write, of the nine tables, those that need no more than its own functions."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with log.open("rb") as file:
        pieces = iter(lambda: file.read(32 << 20) + file.readline(), b"")
        lines = [
            pc.split_pattern(pa.array([piece.removesuffix(b"\n")], pa.large_binary()), b"\n").flatten()
            for piece in pieces
        ]
    found = pa.chunked_array([pc.extract_regex(chunk, pattern=jobs.NAMED_LINE) for chunk in lines]).combine_chunks()
    columns = dict(zip(jobs.FIELDS, found.drop_null().flatten(), strict=True))

    def matches(name: str, regex: str) -> pa.Array:
        coded = columns[name].dictionary_encode()
        return pc.match_substring_regex(coded.dictionary, regex).take(coded.indices)

    bot = matches("agent", jobs.BOT)
    asset, download = matches("path", jobs.ASSET), matches("path", jobs.DOWNLOAD)
    status, people = columns["status"].cast(pa.large_string()), pc.invert(bot)
    ok = pc.is_in(status, pa.array(["200", "304", "206"]))
    sizes = pc.if_else(pc.equal(columns["bytes"], pa.scalar(b"-", pa.binary())), b"0", columns["bytes"])
    table = pa.table(
        columns
        | {
            "day": pc.binary_slice(columns["time"], 0, 11),
            "hour": pc.binary_slice(columns["time"], 12, 14),
            "bot": bot,
            "page": pc.and_(pc.and_(people, ok), pc.invert(pc.or_(asset, download))),
            "download": pc.and_(people, pc.and_(download, ok)),
            "error": pc.and_(people, pc.greater_equal(status, "400")),
            "bytes": sizes.cast(pa.large_string()).cast(pa.int64()),
            "visitor": pc.binary_join_element_wise(
                columns["addr"], columns["agent"], pa.scalar(b" ", pa.large_binary())
            ),
        }
    )
    for name in ("traffic", "pages", "downloads", "errors", "bots"):
        where, by = jobs.TABLES[name]
        rows = table if where == "TRUE" else table.filter(table[where])
        sums = rows.group_by(["day", *by]).aggregate(
            [("visitor", "count_distinct"), ("visitor", "count"), ("bytes", "sum")]
        )
        pq.write_table(sums, out / f"{name}.parquet", compression="zstd")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

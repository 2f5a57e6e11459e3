"""apachelogs: one object a line, counted in dicts."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from benchmarks.rivals import in_python

RIVAL = in_python(
    "apachelogs_rows", "apachelogs", "apachelogs",
    "all tables but traffic and pages by agent's text; thresholds, keyed tokens, templates; no Parquet",
)  # fmt: skip


def main(log: Path, out: Path) -> None:
    """Read the log and write two tables as text."""
    import apachelogs

    parser = apachelogs.LogParser(apachelogs.COMBINED, encoding="utf-8", errors="surrogateescape")
    tables: dict[tuple[object, ...], list[object]] = defaultdict(lambda: [0, set(), 0])
    with log.open(encoding="utf-8", errors="surrogateescape") as lines:
        for entry in parser.parse_lines(lines, ignore_invalid=True):
            request = (entry.request_line or "").split(" ")
            day, visitor = entry.request_time.date(), (entry.remote_host, entry.headers_in["User-Agent"])
            for key in (
                ("traffic", day, entry.request_time.hour, request[0]),
                ("pages", day, request[min(1, len(request) - 1)]),
            ):
                group = tables[key]
                group[0] += 1  # type: ignore[operator]
                group[1].add(visitor)  # type: ignore[attr-defined]
                group[2] += entry.bytes_sent or 0  # type: ignore[operator]
    with (out / "tables.txt").open("w", encoding="utf-8", errors="surrogateescape") as file:
        for key, (requests, visitors, size) in tables.items():
            print(*key, requests, len(visitors), size, file=file)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Write the table in docs/thresholds.md from real logs: ``LOGBLUR_CORPUS=… python docs/make_thresholds.py``.

What lies between ``<!-- shares -->`` and ``<!-- end -->`` is written; the rest is kept. A test says when it is stale.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

import logblur
from logblur.dataset.state import open_state
from logblur.keys import system_keys
from logblur.placeholders import OTHER
from logblur.policy.load import builtin_text, decode

PAGE = Path(__file__).with_name("thresholds.md")
THRESHOLDS = (5, 10, 50)
LOGS = (
    "elastic_apache_10k.log.gz",
    "hackers-access.log.gz",
    "ezproxy_sd.2012-11-30.log.gz",
    "ezproxy_npg.2013-03-12.log.gz",
    "ezproxy_springer.2013-03-12.log.gz",
)
"""In the folder ``logs/big`` of the corpus."""

Column = tuple[str, str]
"""Table and column."""


def page(text: str, corpus: Path) -> str:
    """Return the page with its table written anew."""
    found = {log: {k: shares(corpus / "logs" / "big" / log, k) for k in THRESHOLDS} for log in LOGS}
    lines = [("table", "column", *(f"`{log.removesuffix('.log.gz')}`" for log in LOGS)), ("---",) * (2 + len(LOGS))]
    for table, column in found[LOGS[0]][THRESHOLDS[0]]:
        cells = [" / ".join(_percent(found[log][k][table, column]) for k in THRESHOLDS) for log in LOGS]
        lines.append((f"`{table}`", f"`{column}`" if column else "(a row at all)", *cells))
    made = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return re.sub(r"(?s)(<!-- shares -->\n).*?(<!-- end -->)", lambda m: m[1] + made + m[2], text)


def shares(log: Path, k: int) -> dict[Column, float | None]:
    """Return by table and column the share of requests whose row says it; None where a table counts none.

    The column without a name stands for requests that are in a row at all. A day without rows keeps nothing.
    """
    text = builtin_text("audience").replace('"25 months"', '"100 years"')  # the logs are old
    policy = decode(text.replace("min_clients = 10", f"min_clients = {k}").encode())
    kept: Counter[Column] = Counter()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        out, state = Path(folder) / "out", Path(folder) / "state"
        logblur.run(log, out, state=state, policy=policy)
        with open_state(out, state, clock=lambda: datetime.now(UTC), keys=system_keys) as opened:
            for record in opened.ledger.days():
                for partial in opened.read_partials(record.day):
                    for name, groups in partial.tables.items():
                        total[name] += pc.sum(groups["requests"]).as_py() or 0
        for table in policy.tables:
            for file in out.glob(f"{table.name}/*/*.parquet"):
                rows = pq.ParquetFile(file).read()
                kept[table.name, ""] += pc.sum(rows["requests"]).as_py() or 0
                for column in table.by:
                    said = pc.is_valid(rows[column]) if column == "hour" else pc.not_equal(rows[column], OTHER)
                    kept[table.name, column] += pc.sum(rows["requests"].filter(said)).as_py() or 0
    columns = [(table.name, column) for table in policy.tables for column in ("", *table.by)]
    return {(name, column): kept[name, column] / total[name] if total[name] else None for name, column in columns}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.0f}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), Path(os.environ["LOGBLUR_CORPUS"])), encoding="utf-8")

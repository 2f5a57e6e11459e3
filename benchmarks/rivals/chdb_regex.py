"""chdb (ClickHouse): `extractGroups` over whole lines, then SQL in its own dialect."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.rivals import in_python, jobs

RIVAL = in_python(
    "chdb_regex", "chdb", "chdb (ClickHouse), extractGroups", "path templates, thresholds, keyed tokens, rejects"
)


def main(log: Path, out: Path) -> None:
    """Read the log and write the tables as Parquet."""
    from chdb import session

    database = session.Session(str(out / "database"))

    def pattern(text: str) -> str:
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    fields = ", ".join(f"g[{k}] AS {name}" for k, name in enumerate(jobs.FIELDS, 1))
    host = f"extract(referer, {pattern(jobs.HOST)})"
    database.query("CREATE DATABASE IF NOT EXISTS job ENGINE = Atomic")
    database.query(f"""CREATE TABLE job.raw ENGINE = Memory AS SELECT {fields}
        FROM (SELECT extractGroups(line, {pattern(jobs.LINE)}) AS g FROM file('{log}', 'LineAsString', 'line String'))
        WHERE length(g) = 9""")
    database.query(f"""CREATE TABLE job.agents ENGINE = Memory AS SELECT agent,
        agent = '-' OR match(agent, {pattern(jobs.BOT)}) AS bot,
        if(match(agent, {pattern(jobs.MOBILE)}), 'mobile', 'desktop') AS device, extract(agent, {pattern(jobs.SYSTEM)}) AS os,
        extractGroups(agent, {pattern(jobs.BROWSER)}) AS b, b[1] AS browser, b[2] AS major
        FROM (SELECT DISTINCT agent FROM job.raw)""")
    database.query(f"""CREATE TABLE job.paths ENGINE = Memory AS SELECT path, match(path, {pattern(jobs.ASSET)}) AS asset,
        match(path, {pattern(jobs.DOWNLOAD)}) AS file FROM (SELECT DISTINCT path FROM job.raw)""")
    database.query(f"""CREATE TABLE job.referers ENGINE = Memory AS SELECT referer,
        extract({host}, {pattern(jobs.ENGINE)}) AS engine, extract({host}, {pattern(jobs.DOMAIN)}) AS domain
        FROM (SELECT DISTINCT referer FROM job.raw)""")
    database.query("""CREATE TABLE job.addresses ENGINE = Memory AS SELECT addr, if(position(addr, ':') > 0,
        concat(extract(addr, '^([0-9a-f]*:[0-9a-f]*)'), '::/32'),
        concat(extract(addr, '^([0-9]+[.][0-9]+)[.]'), '.0.0/16')) AS network FROM (SELECT DISTINCT addr FROM job.raw)""")
    # ClickHouse's own reader of dates knows no month by name: the name becomes a number first
    moment = """parseDateTimeOrNull(concat(substring(time, 1, 3),
        leftPad(toString(1 + intDiv(position('JanFebMarAprMayJunJulAugSepOctNovDec', substring(time, 4, 3)) - 1, 3)), 2, '0'),
        substring(time, 7)), '%d/%m/%Y:%H:%i:%s %z')"""
    database.query(f"""CREATE TABLE job.full_rows ENGINE = Memory AS SELECT toDate(t, 'Europe/Riga') AS day,
        toHour(t, 'Europe/Riga') AS hour, bot, method, path, status, device, os, browser, major, engine, domain, network, agent,
        cityHash64(addr, agent) AS visitor, ifNull(toInt64OrNull(bytes), 0) AS bytes,
        NOT bot AND status IN ('200', '304', '206') AND NOT asset AND NOT file AS page,
        NOT bot AND status IN ('200', '206') AND file AS download, NOT bot AND status >= '400' AS error
        FROM (SELECT *, {moment} AS t FROM job.raw) AS r
        JOIN job.agents USING (agent) JOIN job.paths USING (path) JOIN job.referers USING (referer)
        JOIN job.addresses USING (addr)""")
    for name, (where, by) in jobs.TABLES.items():
        keys = ", ".join(("day", *by))
        database.query(f"""SELECT {keys}, count() AS requests, uniqExact(visitor) AS visitors, sum(bytes) AS bytes
            FROM job.full_rows WHERE {where} GROUP BY {keys} INTO OUTFILE '{out / f"{name}.parquet"}' FORMAT Parquet""")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

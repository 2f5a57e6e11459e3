"""The job of the rivals that speak SQL (DuckDB's dialect; ClickHouse's where its functions differ)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.rivals import jobs


def duckdb_statements(parsed: str, out: Path) -> Iterator[str]:
    """Yield the statements that turn a query of text columns (addr … agent) into the nine tables as Parquet."""
    yield f"CREATE TABLE raw AS {parsed}"
    yield f"""CREATE TABLE agents AS SELECT agent,
        agent = '-' OR regexp_matches(agent, '{jobs.BOT}') AS bot,
        CASE WHEN regexp_matches(agent, '{jobs.MOBILE}') THEN 'mobile' ELSE 'desktop' END AS device,
        regexp_extract(agent, '{jobs.SYSTEM}', 1) AS os, regexp_extract(agent, '{jobs.BROWSER}', 1) AS browser,
        regexp_extract(agent, '{jobs.BROWSER}', 2) AS major FROM (SELECT DISTINCT agent FROM raw)"""
    yield f"""CREATE TABLE paths AS SELECT path, regexp_matches(path, '{jobs.ASSET}') AS asset,
        regexp_matches(path, '{jobs.DOWNLOAD}') AS file FROM (SELECT DISTINCT path FROM raw)"""
    yield f"""CREATE TABLE referers AS SELECT referer, regexp_extract(host, '{jobs.ENGINE}', 1) AS engine,
        regexp_extract(host, '{jobs.DOMAIN}', 1) AS domain
        FROM (SELECT referer, regexp_extract(referer, '{jobs.HOST}', 1) AS host FROM (SELECT DISTINCT referer FROM raw))"""
    yield """CREATE TABLE addresses AS SELECT addr, CASE WHEN contains(addr, ':')
        THEN regexp_extract(addr, '^([0-9a-f]*:[0-9a-f]*)', 1) || '::/32'
        ELSE regexp_extract(addr, '^([0-9]+[.][0-9]+)[.]', 1) || '.0.0/16' END AS network
        FROM (SELECT DISTINCT addr FROM raw)"""
    yield """CREATE TABLE full_rows AS SELECT CAST(time AT TIME ZONE 'Europe/Riga' AS DATE) AS day,
        hour(time AT TIME ZONE 'Europe/Riga') AS hour, bot, method, path, status, device, os, browser, major, engine, domain,
        network, agent, hash(addr, agent) AS visitor, bytes,
        NOT bot AND status IN ('200', '304', '206') AND NOT asset AND NOT file AS page,
        NOT bot AND status IN ('200', '206') AND file AS download, NOT bot AND status >= '400' AS error
        FROM (SELECT * REPLACE (strptime(time, '%d/%b/%Y:%H:%M:%S %z') AS time,
              coalesce(TRY_CAST(bytes AS BIGINT), 0) AS bytes) FROM raw)
        JOIN agents USING (agent) JOIN paths USING (path) JOIN referers USING (referer) JOIN addresses USING (addr)"""
    for name, (where, by) in jobs.TABLES.items():
        keys = ", ".join(("day", *by))
        yield f"""COPY (SELECT {keys}, count(*) AS requests, count(DISTINCT visitor) AS visitors, sum(bytes) AS bytes
            FROM full_rows WHERE {where} GROUP BY {keys}) TO '{out / f"{name}.parquet"}' (FORMAT parquet, COMPRESSION zstd)"""

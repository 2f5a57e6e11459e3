"""`scan`: protected rows as a lazy frame; what is pushed down changes nothing but the cost."""

from __future__ import annotations

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from tests import oracle

import logblur
from logblur import load_policy
from logblur.errors import InputError, PolicyError
from logblur.parse import Parser

LOG = "sample_logs/combined.log"
RIGA = ZoneInfo("Europe/Riga")


def hits(log: Path) -> list[oracle.Hit]:
    """The lines of a log that fit, computed independently."""
    return [hit for line in log.read_bytes().split(b"\n") if (hit := oracle.hit(line, RIGA))]


def test_rows_equal_the_parsed_lines(project: Path) -> None:
    """Every line that fits is one row, in the order of the log, with the values that tables are made of."""
    rows = logblur.scan(project / LOG).collect()
    expected = hits(project / LOG)
    assert rows.height == len(expected)
    assert [hit.day for hit in expected] == rows["date"].to_list()
    assert [hit.bytes for hit in expected] == rows["bytes"].to_list()
    for name in set(rows.columns) - {"date", "bytes"}:
        assert [hit.keys[name] for hit in expected] == rows[name].to_list(), name


def test_only_protected_columns(project: Path) -> None:
    """The columns are those that the policy yields; an address comes as a pseudonym or not at all."""
    plain = logblur.scan(project / LOG).collect_schema()
    assert "remote_addr" not in plain
    assert not {"user_agent", "referer", "query", "remote_user", "visitor", "client", "universe", "time"} & set(plain)
    records = logblur.scan(project / LOG, policy="records").collect()
    assert set(records.columns) - {"remote_addr"} <= {*plain}
    assert records["remote_addr"].str.contains("^(?:[0-9a-f]{32}|[(]none[)])$").all()


QUERIES = {
    "projection": lambda f: f.select("path", "hour"),
    "one column": lambda f: f.select("bot"),
    "date alone": lambda f: f.select("date"),
    "bytes alone": lambda f: f.select(pl.col("bytes").sum()),
    "predicate": lambda f: f.filter(pl.col("status") == "404"),
    "predicate on another": lambda f: f.filter(pl.col("agent") == "bot").select("path"),
    "head": lambda f: f.head(7),
    "head of nothing": lambda f: f.head(0),
    "head then predicate": lambda f: f.head(100).filter(pl.col("hour") > 3),
    "predicate then head": lambda f: f.filter(pl.col("status") == "404").head(5),
    "slice": lambda f: f.slice(90, 20).select("path"),
    "tail": lambda f: f.tail(5),
    "group": lambda f: f.group_by("site", "status").agg(pl.len(), pl.col("bytes").sum()).sort("site", "status"),
    "length": lambda f: f.select(pl.len()),
}


@pytest.mark.parametrize("name", QUERIES)
def test_what_is_pushed_down_changes_nothing(name: str, project: Path) -> None:
    """A query over the lazy frame gives what the same query over all collected rows gives."""
    query = QUERIES[name]
    logs = [project / LOG, project / "sample_logs/common.log"]
    everything = logblur.scan(logs).collect()
    assert query(everything.lazy()).collect().equals(query(logblur.scan(logs)).collect())


def test_a_field_that_no_column_needs_is_not_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A projection reaches the parser."""
    asked: list[tuple[str, ...]] = []

    class Spy(Parser):
        def __init__(self, form: object, columns: list[str], **rest: object) -> None:
            asked.append(tuple(sorted(columns)))
            super().__init__(form, columns, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr("logblur.records.Parser", Spy)
    logblur.scan(project / LOG).select("status").collect()
    assert asked[-1] == ("status", "time")


def test_pseudonyms_hold_within_a_day_and_die_with_the_scan(tmp_path: Path) -> None:
    """One client has one pseudonym a day, another the next day, and quite another in the next scan."""
    start = oracle.utc("2026-05-17T09:00:00")
    lines = [
        b'%b - anna [%b] "GET / HTTP/1.1" 200 5 "-" "-"\n' % (client, oracle.clf(start.replace(day=day)))
        for day in (17, 18)
        for client in (b"192.0.2.1", b"192.0.2.2", b"192.0.2.1", b"::ffff:192.0.2.1", b"host.example", b"-")
    ]
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"".join(lines)))
    frame = logblur.scan(tmp_path / "a.gz", policy="records")
    first, second = frame.collect(), frame.collect()
    for rows in (first, second):
        one, two = rows["remote_addr"].to_list()[:6], rows["remote_addr"].to_list()[6:]
        for day in (one, two):
            assert day[0] == day[2] == day[3]
            assert len(set(day[:2])) == 2
            assert day[5] == "(none)"
        assert not (set(one) & set(two)) - {"(none)"}
    assert not (set(first["remote_addr"]) & set(second["remote_addr"])) - {"(none)"}


def test_one_client_of_two_logs(tmp_path: Path) -> None:
    """Within one scan a client has one pseudonym a day, also across logs."""
    line = b'192.0.2.1 - - [17/May/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 %d "-" "-"\n'
    for n in range(2):
        (tmp_path / f"{n}.log").write_bytes(line % n)
    rows = logblur.scan(tmp_path, policy="records").collect()
    assert rows["remote_addr"].n_unique() == 1


def test_wrong_calls_fail_at_once(tmp_path: Path) -> None:
    """A policy that is none and a log that is not there are said when the frame is made."""
    with pytest.raises(PolicyError):
        logblur.scan(tmp_path, policy="none")
    with pytest.raises(InputError):
        logblur.scan(tmp_path / "none.log")
    assert load_policy("records").tables == ()

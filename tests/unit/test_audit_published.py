"""The audit of published folders and states: thresholds, subtraction, versions, contract, state; each made to fail."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import logblur
from logblur.cli import main
from logblur.dataset.state import default_folder
from logblur.keys import create_secret
from logblur.pipeline import seal
from logblur.policy import load_policy
from logblur.policy.load import builtin_text, decode
from logblur.policy.resolve import resolve
from logblur.privacy.contract import contract
from logblur.privacy.published import published, versions
from logblur.privacy.recount import protected_rows
from logblur.privacy.report import Verdict
from logblur.privacy.state import state_check
from logblur.privacy.subtraction import kept_versions, subtraction, thresholds

POLICY = load_policy("audience")
PLAN = resolve(POLICY)
LINE = (
    '%s - - [17/May/2026:10:05:03 +0000] "GET %s HTTP/1.1" %d 5 "-" "Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0"\n'
)
CLOCK = datetime(2026, 5, 18, 1, tzinfo=UTC)


def lines(clients: int, path: str = "/a", status: int = 200, *, first: int = 0, each: int = 1) -> str:
    """Requests of some clients."""
    return (
        "".join(LINE % (f"192.0.{k // 200}.{k % 200 + 1}", path, status) for k in range(first, first + clients)) * each
    )


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Sixty clients read two pages, thirty find an error."""
    path = tmp_path / "raw.log"
    path.write_text(lines(60) + lines(40, "/b", first=20) + lines(30, "/none", 404))
    return path


@pytest.fixture
def out(log: Path, tmp_path: Path) -> Path:
    """What is published of it; its state is `tmp_path / "state"`."""
    logblur.run(log, tmp_path / "out", state=tmp_path / "state")
    return tmp_path / "out"


def change(out: Path, table: str, how: Callable[[pa.Table], pa.Table]) -> None:
    """Write a published table anew, changed."""
    (file,) = (out / table).rglob("*.parquet")
    old = pq.ParquetFile(file).read()
    pq.write_table(how(old).replace_schema_metadata(old.schema.metadata), file)


def with_requests(requests: int) -> Callable[[pa.Table], pa.Table]:
    """Give the first row so many requests, and no more visitors than that."""

    def how(old: pa.Table) -> pa.Table:
        rows = old.to_pylist()
        rows[0] |= {"requests": requests, "visitors": min(rows[0]["visitors"], requests)}
        return pa.Table.from_pylist(rows, old.schema.remove_metadata())

    return how


def test_weeks_are_counted_as_days_are(log: Path, tmp_path: Path) -> None:
    """An output by weeks has a table for each, recounted from the raw log; its state is due a week later."""
    policy = decode(builtin_text("audience").replace("[input]", 'period = "week"\n[input]', 1).encode())
    plan = resolve(policy)
    logblur.run(log, tmp_path / "out", policy=policy, state=tmp_path / "state")
    found, rows = versions(tmp_path / "out"), protected_rows([str(log)], plan)
    assert {table.day for table in found[0].tables} == {date(2026, 5, 11)}
    assert not found[0].strays
    assert thresholds(found, plan, rows).figures["counted"] > 5
    assert subtraction(found, plan, rows).verdict is Verdict.PASSED
    assert contract(found, policy, plan, today=date(2026, 6, 1)).verdict is Verdict.PASSED


# Thresholds


def test_what_run_publishes_passes(out: Path, log: Path) -> None:
    """Every row is recounted from the raw log, and none is of fewer clients than k; no difference leaves few."""
    found, rows = versions(out), protected_rows([str(log)], PLAN)
    counted = thresholds(found, PLAN, rows)
    assert counted.verdict is Verdict.PASSED
    assert counted.figures["counted"] == counted.figures["rows"] > 5
    tried = subtraction(found, PLAN, rows)
    assert (tried.verdict, tried.figures["differences"] > 3) == (Verdict.PASSED, True)


@pytest.mark.parametrize("requests", [1, 9])
def test_a_row_of_few_requests_is_of_few_clients(requests: int, out: Path) -> None:
    """Without raw logs a row of fewer requests, or visitors, than k fails."""
    change(out, "pages", with_requests(requests))
    assert thresholds(versions(out), PLAN, None).verdict is Verdict.FAILED


def test_a_row_of_few_clients_is_found_in_the_raw_log(tmp_path: Path) -> None:
    """Many requests of few clients look well from outside; with the raw log they fail."""
    log = tmp_path / "raw.log"
    log.write_text(lines(60) + lines(3, "/few", each=40))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state")

    def split(old: pa.Table) -> pa.Table:
        rows = old.to_pylist()
        assert len(rows) == 1  # one row: the few are rolled up with the many
        many = {"site": "(none)", "path": "/a", "requests": 60, "visitors": 60, "bytes": 300}
        few = {"site": "(none)", "path": "/few", "requests": 120, "visitors": 30, "bytes": 600}
        return pa.Table.from_pylist([many, few], old.schema.remove_metadata())

    change(tmp_path / "out", "pages", split)
    found = versions(tmp_path / "out")
    assert thresholds(found, PLAN, None).verdict is Verdict.PASSED
    failed = thresholds(found, PLAN, protected_rows([str(log)], PLAN))
    assert (failed.verdict, "of 3 clients" in failed.details[0]) == (Verdict.FAILED, True)


def test_a_row_that_one_client_makes_fails(tmp_path: Path) -> None:
    """A row of enough clients, nearly all of whose requests one client makes, fails with the raw log."""
    log = tmp_path / "raw.log"
    log.write_text(lines(60) + lines(1, first=70, each=2000))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state")

    def shown(old: pa.Table) -> pa.Table:
        row = {"site": "(none)", "path": "/a", "requests": 2060, "visitors": 61, "bytes": 10300}
        return pa.Table.from_pylist([row], old.schema.remove_metadata())

    change(tmp_path / "out", "pages", shown)
    failed = thresholds(versions(tmp_path / "out"), PLAN, protected_rows([str(log)], PLAN))
    assert failed.verdict is Verdict.FAILED
    assert any("one client makes 97%" in detail for detail in failed.details)


# Subtraction


def test_a_difference_of_totals_fails(out: Path, log: Path) -> None:
    """All lines less people leave three requests of bots: whoever subtracts has them; likewise by agent."""
    change(out, "traffic", with_requests(133))
    for rows in (None, protected_rows([str(log)], PLAN)):
        assert subtraction(versions(out), PLAN, None).verdict is Verdict.FAILED, rows is None
    failed = subtraction(versions(out), PLAN, None)
    assert any("less" in detail and "leaves 3 requests" in detail for detail in failed.details)


def test_a_difference_of_few_clients_is_found_in_the_raw_log(tmp_path: Path) -> None:
    """A rest of many requests of few clients, between pages and all people, fails with the raw log alone."""
    log = tmp_path / "raw.log"
    log.write_text(lines(60) + lines(30, "/none", 404) + lines(2, "/redirect", 301, each=30))
    text = builtin_text("audience")
    policy = decode(
        text.replace('where = "all"\nby = ["hour", "agent", "method"]', 'where = "human"\nby = ["hour"]').encode()
    )
    plan = resolve(policy)
    logblur.run(log, tmp_path / "out", policy=policy, state=tmp_path / "state")
    rows = protected_rows([str(log)], plan)
    assert subtraction(versions(tmp_path / "out"), plan, rows).verdict is Verdict.PASSED  # `run` withholds a table
    for table in ("pages", "clients", "networks", "errors"):  # as if it did not
        requests, visitors = (30, 30) if table == "errors" else (60, 60)

        def shown(old: pa.Table, requests: int = requests, visitors: int = visitors) -> pa.Table:
            keys = {n: "x" for n in old.column_names if n not in {"requests", "visitors", "bytes"}}
            row = keys | {"requests": requests, "visitors": visitors, "bytes": 5 * requests}
            return pa.Table.from_pylist([row], old.schema.remove_metadata())

        change(tmp_path / "out", table, shown)
    change(
        tmp_path / "out", "traffic",
        lambda old: pa.Table.from_pylist(
            [{"hour": 13, "requests": 150, "visitors": 90, "bytes": 750}], old.schema.remove_metadata()
        ),
    )  # fmt: skip
    found = versions(tmp_path / "out")
    assert subtraction(found, plan, None).verdict is Verdict.PASSED  # sixty requests look like many
    assert subtraction(found, plan, rows).verdict is Verdict.FAILED


def add(out: Path, name: str, like: str, rows: list[dict[str, object]], where: str = "") -> None:
    """Publish a table beside another, as no policy may have it."""
    (file,) = (out / like).rglob("*.parquet")
    metadata = dict(pq.ParquetFile(file).read().schema.metadata)
    if where:
        metadata[b"logblur.universe"] = where.encode()
    folder = out / name / file.parent.name
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows).replace_schema_metadata(metadata), folder / f"{name}.parquet")


def rows_of(out: Path, table: str) -> list[dict[str, object]]:
    """The rows of a published table."""
    (file,) = (out / table).rglob("*.parquet")
    return pq.ParquetFile(file).read().to_pylist()


@pytest.mark.parametrize(
    ("tables", "like", "where", "key", "of"),
    [
        (["pages"], "pages", "", "site", lambda row: row["site"]),
        (["traffic"], "traffic", "", "method", lambda row: row["method"]),  # not the first key
        (["errors"], "errors", "", "status_class", lambda row: row["status"][0] + "xx"),  # implied by one
        (["errors", "pages"], "pages", "human", "site", lambda row: row["site"]),  # a whole less its parts
    ],
    ids=["first key", "any key", "implied key", "nested"],
)
@pytest.mark.parametrize("more", [0, 4, 90])
def test_tables_with_common_columns_are_subtracted(
    tables: list[str], like: str, where: str, key: str, of: Callable[[dict[str, str]], str], more: int, out: Path,
) -> None:  # fmt: skip
    """A table that tells what others rolled up, by a column that they have in common, fails where that is little."""
    sums: dict[str, int] = {}
    for table in tables:
        for row in rows_of(out, table):
            sums[of(row)] = sums.get(of(row), 0) + row["requests"]
    add(out, "more", like, [{key: value, "requests": requests + more} for value, requests in sums.items()], where)
    found = subtraction(versions(out), PLAN, None)
    said = f"more less {', '.join(tables)} leaves fewer than 10 clients in {len(sums)} values of {key}"
    assert (more == 4) == any(said in detail for detail in found.details)


def test_common_columns_are_recounted_in_the_raw_log(tmp_path: Path) -> None:
    """What one table rolled up and another tells fails where it is of few clients, however many requests."""
    log = tmp_path / "raw.log"
    log.write_text(lines(60) + lines(3, "/few", each=40))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state")
    many = {"site": "(none)", "path": "/a", "requests": 60, "visitors": 60, "bytes": 300}
    change(
        tmp_path / "out", "pages", lambda old: pa.Table.from_pylist([many], old.schema.remove_metadata())
    )  # fmt: skip
    add(tmp_path / "out", "more", "pages", [{"site": "(none)", "requests": 180}])
    said = "more less pages leaves fewer than 10 clients in 1 values of site"
    found = versions(tmp_path / "out")
    assert said not in str(subtraction(found, PLAN, None).details)
    assert said in str(subtraction(found, PLAN, protected_rows([str(log)], PLAN)).details)


# Versions


def test_two_versions_are_subtracted(log: Path, tmp_path: Path) -> None:
    """One request between two versions of an open day is told by their difference; equal versions tell nothing."""
    kept = tmp_path / "kept"
    logblur.run(log, tmp_path / "out", state=tmp_path / "state")
    shutil.copytree(tmp_path / "out", kept / "1")
    shutil.copytree(tmp_path / "out", kept / "2")
    assert kept_versions(versions(tmp_path / "out")).verdict is Verdict.NOT_RUN
    assert kept_versions(versions(kept)).verdict is Verdict.PASSED
    with log.open("a") as more:
        more.write(lines(1, first=59))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state")
    shutil.copytree(tmp_path / "out", kept / "3")
    assert kept_versions(versions(kept)).verdict is Verdict.FAILED
    assert main(["audit", str(kept)]) == 6


def test_sums_of_versions_are_subtracted(out: Path, tmp_path: Path) -> None:
    """Four requests in a row that one version alone shows are told by the sums over its first keys, and the total."""
    kept = tmp_path / "kept"
    shutil.copytree(out, kept / "1")

    def moved(old: pa.Table) -> pa.Table:
        rows = old.to_pylist()
        rows[0] |= {"path": "/elsewhere", "requests": rows[0]["requests"] + 4}
        return pa.Table.from_pylist(rows, old.schema.remove_metadata())

    change(out, "pages", moved)
    shutil.copytree(out, kept / "2")
    details = kept_versions(versions(kept)).details
    assert [detail.partition(": ")[2] for detail in details] == [
        "1 sums by site differ by fewer than 10 requests",
        "the totals differ by fewer than 10 requests",
    ]


# Contract


def verdict(out: Path, policy: str = "audience", **days: date) -> Verdict:
    """How the contract ends under a policy."""
    loaded = load_policy(policy)
    return contract(versions(out), loaded, resolve(loaded), **days).verdict


def test_an_output_keeps_its_contract(out: Path) -> None:
    """What `run` published departs from its own policy in nothing, from another in its digest."""
    assert verdict(out, today=date(2026, 6, 1)) is Verdict.PASSED
    assert verdict(out, "strict", today=date(2026, 6, 1)) is Verdict.FAILED


RICH = """
version = 1
name = "rich"
purpose = "p"
legal_basis = "legitimate-interests"
retention = "25 months"
[fields]
time = { method = "hour" }
remote_addr = { method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }
host = { method = "keep", reason = "own" }
path = { method = "template", query = { keep = ["page"] } }
status = { method = "class" }
referer = { method = "path" }
user_agent = { method = "family" }
[dimensions.section]
field = "user_agent"
values = { here = "Firefox" }
[[table]]
name = "pages"
where = "page"
by = ["path"]
measures = ["requests"]
min_clients = 10
[[table]]
name = "sections"
where = "page"
by = ["section"]
measures = ["requests"]
min_clients = 10
[[table]]
name = "origins"
where = "referral"
by = ["referrer"]
measures = ["requests"]
min_clients = 10
[[table]]
name = "errors"
where = "error"
by = ["status_class"]
measures = ["requests"]
min_clients = 10
"""


def test_parameters_and_columns_of_a_policys_own_keep_the_contract(tmp_path: Path) -> None:
    """Parameters that stay, and values of own columns, are what the policy says; others fail."""
    policy = decode(RICH.encode())
    log = tmp_path / "raw.log"
    text = lines(60, "/a?page=2&id=7") + lines(30, "/@team") + lines(30, "/none", 404)
    log.write_text(text.replace('"-" "Moz', '"https://www.example.org/x?y=z" "Moz'))
    logblur.run(log, tmp_path / "out", policy=policy, state=tmp_path / "state")

    def ends() -> Verdict:
        return contract(versions(tmp_path / "out"), policy, resolve(policy), today=date(2026, 6, 1)).verdict

    assert {row["path"] for row in rows_of(tmp_path / "out", "pages")} >= {"/a?page=2"}
    assert ends() is Verdict.PASSED
    for table, name, value in (
        ("pages", "path", "/a?id=7"),
        ("pages", "path", "/a/anna@example.org"),
        ("sections", "section", "there"),
        ("origins", "referrer", "https://www.example.org/x?y=z"),
        ("errors", "status_class", "404"),
    ):
        rows = rows_of(tmp_path / "out", table)
        assert rows
        change(tmp_path / "out", table, column(name, value))
        assert ends() is Verdict.FAILED, (table, value)
        kept = rows

        def back(old: pa.Table, kept: list[dict[str, object]] = kept) -> pa.Table:
            return pa.Table.from_pylist(kept, old.schema.remove_metadata())

        change(tmp_path / "out", table, back)
        assert ends() is Verdict.PASSED


def column(name: str, value: object) -> Callable[[pa.Table], pa.Table]:
    """Give every row a value."""
    return lambda old: old.set_column(
        old.column_names.index(name), old.schema.field(name), pa.array([value] * len(old), old.schema.field(name).type)
    )


@pytest.mark.parametrize(
    ("table", "how"),
    [
        ("networks", column("network", "192.0.2.0/24")),
        ("networks", column("network", "192.0.2.7")),
        ("networks", column("network", "2001:db8:1::/48")),
        ("traffic", column("hour", 24)),
        ("pages", column("path", "/a?b=c")),
        ("pages", lambda old: old.append_column("client", pa.array(["x"] * len(old)))),
        ("pages", lambda old: old.drop_columns(["path"])),
    ],
    ids=["/24", "address", "/48", "hour", "query", "one column more", "one column less"],
)  # fmt: skip
def test_what_the_policy_does_not_name_breaks_the_contract(
    table: str, how: Callable[[pa.Table], pa.Table], out: Path
) -> None:
    """A finer network, a query in a path, a column more or less: each fails."""
    change(out, table, how)
    assert verdict(out, today=date(2026, 6, 1)) is Verdict.FAILED


def test_files_tables_and_days_too_many_break_the_contract(out: Path) -> None:
    """A stray file, a table the policy lacks, and a day kept past its time each fail."""
    assert verdict(out, today=date(2028, 6, 17)) is Verdict.PASSED
    assert verdict(out, today=date(2028, 6, 18)) is Verdict.FAILED
    (out / "notes.txt").write_text("x")
    assert verdict(out, today=date(2026, 6, 1)) is Verdict.FAILED
    (out / "notes.txt").unlink()
    (file,) = (out / "bots").rglob("*.parquet")
    other = out / "people" / file.parent.name / "people.parquet"
    other.parent.mkdir(parents=True)
    shutil.copy(file, other)
    assert verdict(out, today=date(2026, 6, 1)) is Verdict.FAILED


def test_a_day_published_before_its_seal_breaks_a_sealed_contract(log: Path, tmp_path: Path) -> None:
    """Under `publish = "sealed"` no open day may be seen."""
    text = builtin_text("audience")
    sealed = decode(text.replace('publish = "open"', 'publish = "sealed"').encode())
    logblur.run(log, tmp_path / "out", policy=sealed, state=tmp_path / "state")
    seal(tmp_path / "out", state=tmp_path / "state", day=date(2026, 5, 17))
    found = versions(tmp_path / "out")
    assert contract(found, sealed, resolve(sealed), today=date(2026, 6, 1)).verdict is Verdict.PASSED
    path = tmp_path / "out" / "_logblur" / "manifest.json"
    path.write_text(path.read_text().replace('"sealed": true', '"sealed": false'))
    found = versions(tmp_path / "out")
    assert contract(found, sealed, resolve(sealed), today=date(2026, 6, 1)).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("retention", "last"),
    [("1 day", date(2026, 4, 1)), ("1 month", date(2026, 4, 30)), ("25 months", date(2028, 4, 30)),
     ("36 hours", date(2026, 4, 2)), ("9999 years", date.max), ("9999 months", date(2859, 6, 30))],
)  # fmt: skip
def test_retention_counts_from_the_end_of_the_day(retention: str, last: date) -> None:
    """It is over on the day that the calendar says, of which a month lacks some; purge, run and audit ask the same."""
    policy = decode(builtin_text("audience").replace('"25 months"', f'"{retention}"').encode())
    assert policy.is_over(date(2026, 3, 30), last)
    assert not policy.is_over(date(2026, 3, 30), last - timedelta(days=1))


# State


@pytest.fixture
def state(out: Path) -> Path:
    """The state of `out`, an open day in it."""
    return out.parent / "state"


def failures(state: Path, now: datetime = CLOCK) -> list[str]:
    """What a check of a state names."""
    return list(state_check(state, now=now).details)


def test_a_state_that_run_left_passes(state: Path, out: Path) -> None:
    """An open day before it is due, and a sealed one, leave nothing to find."""
    assert failures(state) == []
    seal(out, state=state, day=date(2026, 5, 17))
    assert failures(state, CLOCK + timedelta(days=99)) == []


def spoil(state: Path, what: str) -> None:
    """Leave something in a state that should not be there."""
    secret, (partial,) = bytes(range(32)), (state / "partials").iterdir()
    match what:
        case "folder":
            state.chmod(0o750)
        case "key file":
            next((state / "keys").iterdir()).chmod(0o644)
        case "key of no day":
            create_secret(state / "keys" / "2020-01-01.key", secret)
        case "temporary":
            (state / "ledger.sqlite.ab12.tmp").touch(0o600)
        case "orphan":
            shutil.copy(partial, state / "partials" / "2026-05-17-00.partial")
        case "copy of a key":
            create_secret(state / "keys" / "2026-05-17.key.bak", secret)
        case "copy of the ledger":
            shutil.copy(state / "ledger.sqlite", state / "keys" / "ledger.sqlite")
        case "link":
            (state / "elsewhere").symlink_to(state.parent)
        case "write-ahead log":
            (state / "ledger.sqlite-wal").write_bytes(secret)
            (state / "ledger.sqlite-wal").chmod(0o600)
        case "free pages":
            db = sqlite3.connect(state / "ledger.sqlite")
            db.execute("PRAGMA secure_delete=OFF")
            db.execute("CREATE TABLE t (a TEXT)")
            db.executemany("INSERT INTO t VALUES (?)", [("secret" * 200,)] * 50)
            db.commit()
            db.execute("DROP TABLE t")
            db.commit()
            db.close()
        case "no ledger":
            (state / "ledger.sqlite").unlink()


@pytest.mark.parametrize(
    "what",
    ["folder", "key file", "key of no day", "temporary", "orphan", "copy of a key", "copy of the ledger", "link",
     "write-ahead log", "free pages",
     "no ledger"],
)  # fmt: skip
def test_what_should_not_be_in_a_state_fails(what: str, state: Path) -> None:
    """Permissions, keys and partials that belong to no day, remains of SQLite and of killed runs: each is named."""
    spoil(state, what)
    assert failures(state)
    assert state_check(state, now=CLOCK).verdict is Verdict.FAILED


def test_keys_and_partials_past_their_seal_fail(state: Path, out: Path) -> None:
    """A day that is due, and a key or a partial that outlived its day's seal, fail."""
    assert any("past its day" in line for line in failures(state, datetime.now(UTC) + timedelta(days=3)))
    (key,), (partial,) = (state / "keys").iterdir(), (state / "partials").iterdir()
    kept = {path: path.read_bytes() for path in (key, partial)}
    seal(out, state=state, day=date(2026, 5, 17))
    assert failures(state) == []
    for path, data in kept.items():
        path.write_bytes(data)
        path.chmod(0o600)
    named = failures(state)
    assert any("its key lives" in line for line in named)
    assert any("a partial lives" in line for line in named)


# The command


def test_the_command_finds_the_state_and_holds_the_contract(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The state that belongs to PATH is found by itself; the contract is held only against a policy that is given."""
    logblur.run(log, tmp_path / "out")
    assert default_folder(tmp_path / "out").is_dir()
    assert main(["audit", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "\nstate                     passed" in said
    assert "\ncontract                  not run" in said
    assert main(["audit", str(tmp_path / "out"), "-p", "strict", "--report", str(tmp_path / "r")]) == 6
    results = {r["name"]: r["verdict"] for r in json.loads((tmp_path / "r" / "audit.json").read_text())["results"]}
    assert (results["contract"], results["thresholds"]) == ("failed", "passed")
    assert main(["audit", str(tmp_path / "out"), "--state", str(tmp_path / "none")]) == 4


def test_a_damaged_folder_is_said(out: Path) -> None:
    """A table that is no Parquet is a stray file; a manifest that is damaged is an output error."""
    (file,) = (out / "pages").rglob("*.parquet")
    file.write_bytes(os.urandom(100))
    assert published(out).strays == (file,)
    (out / "_logblur" / "manifest.json").write_text("{")
    assert main(["audit", str(out)]) == 5

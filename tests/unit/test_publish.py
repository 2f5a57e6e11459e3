"""Published files: the same bytes from the same tables, whole whatever happens, and readable by everybody's reader."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests.plans import plan_of

from logblur import __version__, durable
from logblur.dataset.manifest import (
    Manifest,
    load,
    manifest_path,
    required,
    rounded,
    save,
    temporary_folder,
    update_counts,
)
from logblur.dataset.publish import DayInfo, publish_day
from logblur.errors import OutputError
from logblur.policy.plan import TablePlan
from logblur.schema import Reason

DAY = date(2026, 3, 14)
PLAN = replace(
    plan_of(
        TablePlan("traffic", "all", ("hour", "agent", "method"), ("requests", "visitors", "bytes"), 10),
        TablePlan("pages", "page", ("site", "path"), ("requests", "visitors", "bytes"), 12),
    ),
    digest="d" * 64,
)
INFO = DayInfo(PLAN, key_id="0123456789abcdef", sealed=False, rolled_up={"pages": 31})


def measures(rows: int) -> dict[str, pa.Array]:
    """Return three columns of numbers."""
    return {name: pa.array(range(100, 100 + rows), pa.int64()) for name in ("requests", "visitors", "bytes")}


def tables(pages: int = 3) -> dict[str, pa.Table]:
    """Return finished tables as `aggregate` gives them."""
    traffic = {"hour": pa.array([0, 13, None], pa.int8()), "agent": ["bot", "human", "human"], "method": ["GET"] * 3}
    paths = pa.array([f"/page/{number:06}" for number in range(pages)], pa.string())
    site = pa.array(["www.example.com"] * pages, pa.string())
    return {
        "traffic": pa.table({**traffic, **measures(3)}),
        "pages": pa.table({"site": site, "path": paths, **measures(pages)}),
    }


def content(out: Path) -> dict[str, bytes]:
    """Return every file by its name."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give an OUT."""
    out = tmp_path / "out"
    durable.make_folder(temporary_folder(out))
    save(out, Manifest("state-id", {}, {}))
    return out


def test_a_day_is_one_file_a_table_and_the_manifest(out: Path) -> None:
    """Nothing but the tables' files and the manifest is in OUT, at the promised names."""
    publish_day(out, DAY, tables(), INFO)
    assert list(content(out)) == [
        "_logblur/manifest.json",
        "pages/date=2026-03-14/pages.parquet",
        "traffic/date=2026-03-14/traffic.parquet",
    ]


def test_the_same_tables_give_the_same_bytes(out: Path, tmp_path: Path) -> None:
    """Bytes depend on the rows alone: not on chunks, slices or metadata of what is handed over, nor on the place."""
    publish_day(out, DAY, tables(), INFO)
    other = tmp_path / "other"
    durable.make_folder(temporary_folder(other))
    save(other, Manifest("state-id", {}, {}))
    big = tables(9)["pages"].slice(0, 3)
    chunked = pa.concat_tables([big.slice(0, 1), big.slice(1)]).replace_schema_metadata({"x": "y"})
    publish_day(other, DAY, {"pages": chunked, "traffic": tables()["traffic"]}, INFO)
    assert content(out) == content(other)


def test_a_file_that_would_be_the_same_is_not_written_again(out: Path) -> None:
    """Publishing again touches nothing; a changed table touches its own file and the manifest."""
    publish_day(out, DAY, tables(), INFO)

    def inodes() -> dict[str, int]:
        return {name: (out / name).stat().st_ino for name in content(out)}

    before = inodes()
    publish_day(out, DAY, tables(), INFO)
    assert inodes() == before
    publish_day(out, DAY, tables(4), INFO)
    after = inodes()
    assert [name for name in before if before[name] != after[name]] == [
        "_logblur/manifest.json",
        "pages/date=2026-03-14/pages.parquet",
    ]


def test_every_reader_gets_rows_and_the_date(out: Path) -> None:
    """Polars, DuckDB and pyarrow.dataset read the folder, with ``date`` as a date and equal rows."""
    publish_day(out, DAY, tables(), INFO)
    publish_day(out, date(2026, 3, 15), tables(5), INFO)
    frame = pl.scan_parquet(out / "pages", hive_partitioning=True).collect()
    assert (frame.schema["date"], frame.schema["path"], frame.height) == (pl.Date, pl.String, 8)
    rows = duckdb.sql(
        f"SELECT typeof(date), count(*), sum(requests) FROM '{out}/pages/*/*.parquet' GROUP BY 1"
    ).fetchall()
    assert rows == [("DATE", 8, frame["requests"].sum())]
    dataset = ds.dataset(out / "pages", partitioning=ds.partitioning(pa.schema([("date", pa.date32())]), flavor="hive"))
    assert dataset.to_table(filter=ds.field("date") == DAY).num_rows == 3
    traffic = pl.scan_parquet(out / "traffic").collect()
    assert (traffic.schema["hour"], traffic["hour"].null_count()) == (pl.Int8, 2)


def test_a_file_says_what_made_it(out: Path) -> None:
    """Policy, versions, k, key id, table, universe and units are in the file's metadata; no time and no path is."""
    publish_day(out, DAY, tables(), INFO)
    schema = pq.read_schema(out / "pages/date=2026-03-14/pages.parquet")
    assert schema.metadata == {
        b"logblur.version": __version__.encode(),
        b"logblur.schema_version": b"1",
        b"logblur.policy": b"audience",
        b"logblur.policy_digest": b"d" * 64,
        b"logblur.key_id": b"0123456789abcdef",
        b"logblur.table": b"pages",
        b"logblur.universe": b"page",
        b"logblur.k": b"12",
    }
    assert schema.field("bytes").metadata[b"unit"] == b"bytes"
    assert [(field.name, field.nullable) for field in schema] == [(name, False) for name in schema.names]


def test_the_manifest_says_what_is_published(out: Path) -> None:
    """The day's entry names policy, key id and seal, and of each table rows, k, universe and rounded counts."""
    publish_day(out, DAY, tables(0), replace(INFO, sealed=True))
    read = json.loads(manifest_path(out).read_bytes())
    assert (read["state"], read["schema_version"]) == ("state-id", 1)
    assert read["days"] == {
        "2026-03-14": {
            "key_id": "0123456789abcdef",
            "late": 0,
            "policy": {"digest": "d" * 64, "name": "audience"},
            "sealed": True,
            "tables": {
                "pages": {"k": 12, "rolled_up": 40, "rows": 0, "universe": "page", "withheld": True},
                "traffic": {"k": 10, "rolled_up": 0, "rows": 3, "universe": "all", "withheld": False},
            },
        }
    }


def test_a_table_without_rows_is_a_file_without_rows(out: Path) -> None:
    """A withheld table keeps its file and columns, so that folder scans go on."""
    publish_day(out, DAY, tables(0), INFO)
    publish_day(out, date(2026, 3, 15), tables(2), INFO)
    assert pl.scan_parquet(out / "pages").collect().height == 2
    assert pq.read_table(out / "pages/date=2026-03-14/pages.parquet").num_rows == 0


def test_late_lines_and_rejects_change_the_manifest_alone(out: Path) -> None:
    """Counts are rounded up to tens, survive a new publish, and change no table; unknown days are passed over."""
    publish_day(out, DAY, tables(), INFO)
    before = content(out)
    update_counts(out, late={DAY.isoformat(): 3, "2020-01-01": 9}, rejects={Reason.BAD_TIME: 11})
    after = content(out)
    assert [name for name in before if before[name] != after[name]] == ["_logblur/manifest.json"]
    publish_day(out, DAY, tables(), INFO)
    read = load(out)
    assert read is not None
    assert (read.rejects, list(read.days), read.days["2026-03-14"]["late"]) == ({"bad time": 20}, ["2026-03-14"], 10)


def test_rounding_hides_single_lines() -> None:
    """Nothing stays nothing, ten stays ten, all between becomes ten."""
    assert [rounded(count) for count in (0, 1, 9, 10, 11)] == [0, 10, 10, 10, 20]


@pytest.mark.parametrize("wrong", ["missing", "added", "column", "order", "type", "null", "dictionary"])
def test_tables_that_are_not_the_plans_are_refused(out: Path, wrong: str) -> None:
    """Columns, types or tables that the Plan does not name are not published, not even one of them."""
    given = tables()
    pages = given["pages"]
    match wrong:
        case "missing":
            del given["pages"]
        case "added":
            given["more"] = pages
        case "column":
            given["pages"] = pages.append_column("remote_addr", pages["path"])
        case "order":
            given["pages"] = pages.select(["path", "site", "requests", "visitors", "bytes"])
        case "type":
            given["pages"] = pages.set_column(2, "requests", pages["requests"].cast(pa.int32()))
        case "null":
            given["pages"] = pages.set_column(1, "path", pa.array(["/", None, "/x"]))
        case "dictionary":  # an Arrow dictionary would carry suppressed values into the file
            given["pages"] = pages.set_column(1, "path", pages["path"].dictionary_encode())
    with pytest.raises((ValueError, KeyError)):
        publish_day(out, DAY, given, INFO)
    assert list(content(out)) == ["_logblur/manifest.json"]


def test_suppressed_rows_leave_no_trace(out: Path) -> None:
    """Values of rows that were filtered or sliced away are in no page, dictionary or statistic of the file.

    The control publishes the value and finds it.
    """
    pages = tables(50)["pages"]
    for given, found in ((pages.slice(0, 40), False), (pages, True)):
        publish_day(out, DAY, {**tables(), "pages": given}, INFO)
        path = out / "pages/date=2026-03-14/pages.parquet"
        meta = pq.read_metadata(path).row_group(0)
        seen = repr(pq.read_table(path).to_pydict()) + repr([meta.column(i).to_dict() for i in range(5)])
        seen += repr(pq.read_table(path, read_dictionary=["path"])["path"].combine_chunks().dictionary.to_pylist())
        assert ("/page/000049" in seen) is found


def steps_of(out: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the durable steps of a publish."""
    seen: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(durable, "step", seen.append)
        publish_day(out, DAY, tables(7), replace(INFO, sealed=True))
    return len(seen)


def test_a_kill_anywhere_leaves_whole_files_and_a_rerun_completes(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended at any step, each file is the old or the new one, and publishing again gives the undisturbed bytes."""
    publish_day(out, DAY, tables(), INFO)
    old = content(out)
    count = steps_of(out, monkeypatch)
    new = content(out)
    assert count == 5  # one table and the manifest change
    for at in range(count):
        target = tmp_path / f"kill{at}"
        for name, data in old.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(data)
        (temporary_folder(target)).mkdir()
        left = at

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(durable, "step", die)
            with pytest.raises(KeyboardInterrupt):
                publish_day(target, DAY, tables(7), replace(INFO, sealed=True))
        durable.remove_temporaries(temporary_folder(target))
        halfway = content(target)
        assert all(data in (old[name], new[name]) for name, data in halfway.items())
        publish_day(target, DAY, tables(7), replace(INFO, sealed=True))
        assert content(target) == new


def test_a_full_disk_leaves_the_old_files(out: Path) -> None:
    """A process that may not write large files ends with one line and exit 5's error; every old file stays whole."""
    publish_day(out, DAY, tables(), INFO)
    before = content(out)
    script = (
        "import importlib.util, sys; from pathlib import Path\n"
        f"spec = importlib.util.spec_from_file_location('this', {__file__!r})\n"
        "this = importlib.util.module_from_spec(spec); spec.loader.exec_module(this)\n"
        "try: this.publish_day(Path(sys.argv[1]), this.DAY, this.tables(200_000), this.INFO)\n"
        "except this.OutputError as error: print(error); sys.exit(error.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(out)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (5, "")
    assert "pages.parquet: the limit on file sizes is reached" in done.stdout
    assert content(out) == before


def test_a_manifest_that_is_damaged_missing_or_newer_is_named(out: Path) -> None:
    """Nothing is published into an OUT whose manifest cannot be trusted."""
    path = manifest_path(out)
    good = path.read_bytes()
    for data in (b"", b"{", b"[]", b"{}", good.replace(b'"version": 1', b'"version": 2'), b"\xff", None):
        path.unlink()
        if data is not None:
            path.write_bytes(data)
        with pytest.raises(OutputError, match=r"manifest\.json"):
            publish_day(out, DAY, tables(), INFO)
        path.write_bytes(good)
    publish_day(out, DAY, tables(), INFO)


def test_builds_of_databases_are_in_the_metadata(out: Path) -> None:
    """Where lines were looked up, files and manifest name the builds; where they were not, neither says a word."""
    publish_day(out, DAY, tables(), INFO)
    path = next(out.glob("pages/*/*.parquet"))
    assert b"logblur.databases" not in pq.read_schema(path).metadata
    assert "databases" not in next(iter(required(out).days.values()))
    builds = {"country": ["One 1", "One 2"]}
    publish_day(out, DAY, tables(), replace(INFO, builds=builds))
    assert json.loads(pq.read_schema(path).metadata[b"logblur.databases"]) == builds
    assert next(iter(required(out).days.values()))["databases"] == builds

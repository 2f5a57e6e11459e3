"""Runs one after the other, as cron starts them: logs that rotate, are cut while they are read, or cannot be read."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from tests import oracle

import logblur
from logblur import load_policy
from logblur.errors import OutputError, StateLimitError
from logblur.pipeline import publishing
from logblur.policy import Policy
from logblur.policy.load import builtin_text, decode
from logblur.sources import open as opening
from logblur.sources.blocks import BlockReader
from logblur.summary import Summary

NOW = datetime(2026, 5, 18, 3, tzinfo=UTC)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def keys(purpose: str, size: int) -> bytes:
    """Give the same bytes for the same purpose."""
    return hashlib.shake_256(purpose.encode()).digest(size)


def lines(first: int, count: int, day: int = 17, site: str = "a") -> bytes:
    """Lines of a day, numbered on."""
    return b"".join(
        f"192.0.2.{n % 200} - - [{day}/May/2026:{n // 3600 % 24:02d}:{n // 60 % 60:02d}:{n % 60:02d} +0000]"
        f' "GET /{site}/{"abcd"[n % 4]} HTTP/1.1" 200 {n} "-" "{AGENT}"\n'.encode()
        for n in range(first, first + count)
    )


class Place:
    """A folder with logs, OUT and state."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.logs, self.out, self.state = folder, folder / "logs", folder / "out", folder / "state"
        self.logs.mkdir(parents=True)

    def log(self, name: str, data: bytes) -> Path:
        """Write a log."""
        path = self.logs / name
        path.write_bytes(data)
        return path

    def run(
        self, *logs: Path, policy: str | Policy = "audience", workers: int = 2, limit: int | None = None
    ) -> Summary:
        """Run over logs, or all there are."""
        return logblur.run(
            logs or self.logs, self.out, policy=policy, state=self.state, workers=workers, max_state_bytes=limit,
            clock=lambda: NOW, keys=keys,
        )  # fmt: skip

    def contents(self) -> dict[str, bytes]:
        """Every file of OUT."""
        return {str(p.relative_to(self.out)): p.read_bytes() for p in sorted(self.out.rglob("*")) if p.is_file()}

    def requests(self) -> int:
        """Requests published of all lines."""
        rows = oracle.published(self.out)
        return sum(row["requests"] for (table, _), found in rows.items() if table == "traffic" for row in found)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder."""
    return Place(tmp_path / "place")


def test_an_older_copy_counts_nothing(place: Place) -> None:
    """A copy made before the log was counted adds nothing, in the same call or later, cut within a line or not."""
    data = lines(0, 5000)
    place.log("b.log", data[:300_000])
    place.log("a.log", data)
    assert place.run().rows == 5000
    before = place.contents()
    place.log("c.log", data[:6000])
    place.log("d.log", data[: len(data) // 2])
    assert (place.run().rows, place.contents()) == (0, before)
    place.log("d.log", data + lines(5000, 10))  # and goes on as its original would
    assert place.run().rows == 10


def test_header_lines_make_no_log_known(place: Place) -> None:
    """Logs that begin with the same header, one of them without a line, are logs of their own."""
    header = b"#Software: Example\n#Date: 2026-05-17 00:00:00\n"
    place.log("empty.log", header)
    assert place.run().rows == 0
    place.log("one.log", header + lines(0, 300))
    place.log("two.log", header + lines(0, 300, site="b"))
    assert place.run().rows == 600
    place.log("empty.log", header + lines(0, 300, site="c"))
    assert place.run().rows == 300
    assert place.run().rows == 0


@pytest.mark.parametrize("size", [0, 70_000])
def test_a_log_that_is_cut_while_it_is_read(place: Place, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """A log that is emptied under the reader counts nothing, and the others do; cut behind its head, what was read
    counts. The next run reads what is there.
    """
    log, other = place.log("access.log", lines(0, 40_000)), place.log("other.log", lines(0, 300, site="b"))
    read = BlockReader.read

    def cut(reader: BlockReader) -> object:
        block = read(reader)
        if log.stat().st_size > 2 << 20 and block is not None and block.size > 1 << 20:
            os.truncate(log, size)
        return block

    monkeypatch.setattr(BlockReader, "read", cut)
    summary = place.run(log, other)
    monkeypatch.undo()
    assert [str(error).endswith("run again") for error in summary.errors] == ([] if size else [True])
    counted = summary.rows - 300
    assert counted == 0 if size == 0 else 10_000 < counted < 40_000
    assert place.requests() == counted + 300
    with log.open("ab") as more:
        more.write(b"\n" * bool(size) + lines(40_000, 3000))
    summary = place.run(log, other)
    assert summary.errors == ()
    assert summary.rows >= 3000


def test_a_read_error_in_the_middle(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails while a log is read costs that log's segment alone; the run after it is as if nothing was."""
    log, other = place.log("access.log", lines(0, 40_000)), place.log("other.log", lines(0, 300, site="b"))
    preadv = os.preadv

    def fail(fd: int, views: Sequence[bytearray], offset: int) -> int:
        if offset >= 2 << 20:
            raise OSError(errno.EIO, "Input/output error")
        return preadv(fd, views, offset)

    monkeypatch.setattr(opening.os, "preadv", fail)
    (error,) = place.run(log, other).errors
    monkeypatch.undo()
    assert "cannot be read" in str(error)
    assert place.requests() == 300
    assert place.run(log, other).rows == 40_000
    undisturbed = Place(place.folder / "undisturbed")
    undisturbed.run(log, other)
    assert place.contents() == undisturbed.contents()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, where this user may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True).returncode:  # noqa: PLW1510
        pytest.skip("mounting takes rights that this user lacks")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def test_a_disk_that_is_full(place: Place, disk: Path) -> None:
    """Whatever step a full disk stops, the run ends with 5 and says what to do; with room again, OUT is as ever."""
    logs = [place.log(f"{k}.log", lines(7000 * k, 7000, site="ab"[k])) for k in range(2)]
    undisturbed = Place(place.folder / "undisturbed")
    undisturbed.run(*logs)
    small, said = Place(disk / "place"), []
    for size in (40, 100, 170, 240, 300, 360, 420, 480, 16_000):
        subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)
        try:
            small.run(*logs)
        except OutputError as error:
            said.append(str(error))
        for table in small.out.rglob("*.parquet"):
            pq.read_table(table, partitioning=None)
    assert len(said) >= 3
    assert all("free some" in text for text in said)
    assert small.contents() == undisturbed.contents()


def test_a_full_state_ends_before_anything_is_counted(place: Place) -> None:
    """Where partials would take more than the limit on the state the run ends with 5 and nothing counts."""
    log = place.log("access.log", lines(0, 3000))
    with pytest.raises(OutputError, match="more than the limit on the state") as caught:
        place.run(limit=1000)
    assert caught.value.exit_code == 5
    assert not list(place.out.rglob("*.parquet"))
    assert place.run(limit=10 << 20).rows == 3000
    assert not list(place.state.rglob("*.tmp"))
    place.log("more.log", lines(0, 300, site="b"))
    with pytest.raises(OutputError, match="more than the limit on the state"):
        place.run(limit=1000)
    assert place.requests() == 3000
    undisturbed = Place(place.folder / "undisturbed")
    undisturbed.run(log)
    assert place.contents() == undisturbed.contents()


def test_what_fits_into_the_limit_is_published(place: Place) -> None:
    """Of two logs of which the second does not fit, the first counts and is published, though the run ends with 5."""
    small, large = place.log("a.log", lines(0, 300)), place.log("b.log", lines(300, 9000))
    room = 40_000
    with pytest.raises(StateLimitError):
        place.run(small, large, limit=room)
    assert place.requests() == 300
    assert sum(path.stat().st_size for path in (place.state / "partials").iterdir()) > room  # orphans, until a start
    undisturbed = Place(place.folder / "undisturbed")
    undisturbed.run(small)
    assert place.contents() == undisturbed.contents()
    with pytest.raises(StateLimitError):
        place.run(small, large, limit=1)
    assert place.contents() == undisturbed.contents()


def test_a_day_larger_than_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Merged range by range, with partials of few texts, the same bytes are published."""
    logs = [place.log(f"{k}.log", lines(1000 * k, 1500, site="abc"[k])) for k in range(3)]
    undisturbed = Place(place.folder / "undisturbed")
    undisturbed.run(*logs)
    monkeypatch.setattr(publishing, "AT_ONCE", 5000)
    monkeypatch.setattr("logblur.parse.parser.MAX_DISTINCT", 100)
    place.run(*reversed(logs), workers=1)
    assert place.contents() == undisturbed.contents()


def test_two_plans_in_one_run(place: Place) -> None:
    """Days that keep an older plan with other fields, and new days, in one run: each as if it were alone."""
    slim = builtin_text("audience").split("[fields]")[0] + "\n".join([
        "[fields]",
        'time = { method = "hour" }',
        'remote_addr = { method = "truncate", ipv4_prefix = 16, ipv6_prefix = 32 }',
        'method = { method = "keep", reason = "test" }',
        "[[table]]",
        'name = "verbs"',
        'where = "all"',
        'by = ["method", "network"]',
        'measures = ["requests"]',
        "min_clients = 10",
    ])  # fmt: skip
    policies = load_policy("audience"), decode(slim.encode())
    for old, new in (policies, policies[::-1]):
        here, apart = (
            Place(place.folder / f"here-{old.name}-{len(old.tables)}"),
            Place(place.folder / f"apart{len(old.tables)}"),
        )
        here.log("a.log", lines(0, 300))
        here.run(policy=old)
        here.log("b.log", lines(300, 300) + lines(0, 400, day=18))
        here.run(policy=new)
        first, second = apart.log("a.log", lines(0, 600)), apart.log("b.log", lines(0, 400, day=18))
        apart.run(first, policy=old)
        apart.run(second, policy=new)
        assert here.contents() == apart.contents()


def test_nothing_new_changes_no_byte_and_opens_nothing(place: Place, project: Path) -> None:
    """A run over known logs that did not change writes nothing to OUT, and imports no kernel."""
    for k in range(30):
        place.log(f"{k}.log", lines(10 * k, 40, site="abcdef"[k % 6]))
    place.run()
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in place.out.rglob("*") if path.is_file()}
    code = (
        "import sys; from tests.e2e.test_incremental import NOW, keys; import logblur;"
        "s = logblur.run(sys.argv[1], sys.argv[2], state=sys.argv[3], clock=lambda: NOW, keys=keys);"
        "print([name for name in ('numba', 'isal') if name in sys.modules], s.logs_known)"
    )
    words = [sys.executable, "-c", code, str(place.logs), str(place.out), str(place.state)]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[] 30\n"
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before


def test_readers_of_out_agree(place: Place) -> None:
    """Polars, DuckDB and Arrow read the folder of a table alike: partitions, types, rows; files say what they are."""
    place.log("access.log", lines(0, 600) + lines(0, 400, day=18))
    place.run()
    for name in ("traffic", "pages", "networks"):
        pattern = str(place.out / name / "**" / "*.parquet")
        files = sorted((place.out / name).rglob("*.parquet"))
        metadata = pq.read_metadata(files[0]).metadata
        found = pl.read_parquet(pattern, hive_partitioning=True, try_parse_hive_dates=True)
        arrow = ds.dataset(
            place.out / name, partitioning=ds.partitioning(pa.schema([("date", pa.date32())]), flavor="hive")
        ).to_table()
        duck = duckdb.sql(f"SELECT * FROM read_parquet('{pattern}', hive_partitioning = true)").pl()
        columns = sorted(found.columns)
        assert found.schema["date"] == pl.Date
        assert sorted(arrow.column_names) == columns == sorted(duck.columns)
        rows = found.select(columns).sort(columns).rows()
        assert pl.DataFrame(pl.from_arrow(arrow)).select(columns).sort(columns).rows() == rows
        assert duck.select(columns).sort(columns).rows() == rows
        assert {row[columns.index("date")] for row in rows} == {date(2026, 5, 17), date(2026, 5, 18)}
        manifest = json.loads((place.out / "_logblur" / "manifest.json").read_text())
        entry = manifest["days"]["2026-05-17"]
        told = {key.decode().removeprefix("logblur."): value.decode() for key, value in metadata.items()}
        assert told["version"] == logblur.__version__
        assert told["schema_version"] == str(manifest["schema_version"])
        assert (told["policy_digest"], told["key_id"]) == (entry["policy"]["digest"], entry["key_id"])
        assert told["k"] == str(entry["tables"][name]["k"])
        assert pq.read_metadata(files[0]).num_rows == entry["tables"][name]["rows"]


@pytest.mark.skipif(shutil.which("logrotate") is None, reason="logrotate is not installed")
@pytest.mark.parametrize("options", ["copytruncate", "compress", "compress delaycompress", "copytruncate compress"])
def test_a_log_under_logrotate(place: Place, options: str) -> None:
    """A log that grows while logrotate turns it, with runs before and after each turn: every line counts once."""
    log, config = place.logs / "access.log", place.folder / "logrotate.conf"
    words = "\n".join(options.split())
    config.write_text(f"{log} {{\nrotate 9\nmissingok\nnodateext\n{words}\n}}\n")
    config.chmod(0o600)
    place.logs.chmod(0o755)
    written = counted = 0
    for turn in range(5):
        for count in (70, 40):
            with log.open("ab") as more:
                more.write(lines(written, count))
            written += count
            if (turn + count) % 3:
                counted += place.run().rows
        command = ["logrotate", "--force", "--state", str(place.folder / "rotated"), str(config)]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        if turn % 2:
            counted += place.run().rows
    counted += place.run().rows
    assert counted == written == place.requests()
    assert place.run().rows == 0

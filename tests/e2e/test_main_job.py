"""The main job as an operator runs it: real processes, every bad input, every way to be stopped."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

import logblur
from logblur import load_policy
from logblur.cli import main
from logblur.policy.load import builtin_text

NINE = ["traffic", "pages", "downloads", "errors", "clients", "search_engines", "referrers", "networks", "bots"]
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def line(n: int, path: str = "/") -> bytes:
    """A good line; 240 clients, one minute."""
    return (
        f'192.0.2.{n % 240} - - [17/May/2026:10:05:{n % 60:02d} +0000] "GET {path} HTTP/1.1" 200 {n} "-" "{AGENT}"\n'
    ).encode()


GOOD = b"".join(line(n) for n in range(500))


def plain(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """What a run said, which is lines of words on stderr, whatever happened."""
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr
    assert all(said.startswith("logblur: ") for said in done.stderr.splitlines())
    return done


class Place:
    """A folder with an OUT and a state, and the program run there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.state = folder, folder / "out", folder / "state"

    def log(self, name: str, data: bytes) -> Path:
        """Write a log."""
        path = self.folder / name
        path.write_bytes(data)
        return path

    def words(self, *words: str | Path) -> list[str]:
        """The command for a run."""
        rest = ["-o", str(self.out), "--state", str(self.state)]
        return [sys.executable, "-m", "logblur", "run", *map(str, words), *rest]

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run the command line in this process, which saves two seconds of starting."""
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(self.words(*words)[3:])
        return plain(subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue()))

    def start(
        self, *words: str | Path, stdin: bytes | None = None, before: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run in a process of its own."""
        done = subprocess.run(
            self.words(*words), input=stdin, capture_output=True, timeout=60, check=False, preexec_fn=before
        )
        return plain(subprocess.CompletedProcess(words, done.returncode, done.stdout.decode(), done.stderr.decode()))

    def requests(self, table: str = "traffic") -> int:
        """Requests published in a table; every file of OUT is whole, or this fails."""
        files = list(self.out.rglob("*.parquet"))
        read = {path: pq.ParquetFile(path).read() for path in files}
        assert not list(self.out.rglob("*.tmp"))
        return sum(sum(t.column("requests").to_pylist()) for path, t in read.items() if path.stem == table)

    def tables(self) -> dict[str, list[dict[str, object]]]:
        """Every file of OUT, as rows."""
        return {
            str(path.relative_to(self.out)): pq.ParquetFile(path).read().to_pylist()
            for path in sorted(self.out.rglob("*.parquet"))
        }


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder."""
    return Place(tmp_path)


@pytest.mark.parametrize("executable", [sys.executable, "/nonexistent/python"])
def test_who_describes_agents_changes_nothing(
    executable: str, place: Place, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process of its own, or this one, because none can be started or there is one worker: OUT is the same."""
    assert place.run(project / "sample_logs", "--workers", "1").returncode == 0
    (tmp_path / "other").mkdir()
    other = Place(tmp_path / "other")
    monkeypatch.setattr(sys, "executable", executable)
    assert other.run(project / "sample_logs", "--workers", "2").returncode == 0
    assert other.tables() == place.tables()


def test_what_fails_before_workers_can_settle_ends_the_run(place: Place) -> None:
    """Workers that wait for what never comes do not keep a run from ending."""
    code = (
        "import sys\nfrom logblur.pipeline.workers import Workers\n"
        "def fails(*_): raise MemoryError\n"
        "Workers._get_ready = fails\n"
        "from logblur.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = place.words(place.log("log", GOOD), "--workers", "2")[3:]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, timeout=60, check=False)
    assert done.returncode != 0
    assert not list(place.out.rglob("*.parquet"))


def test_default_policy_publishes_every_table(place: Place, project: Path) -> None:
    """Over the sample logs the default policy publishes rows in each table; a second run counts nothing."""
    done = place.start(project / "sample_logs")
    assert done.returncode == 0
    for name in NINE:
        files = list((place.out / name).glob("date=????-??-??/" + name + ".parquet"))
        assert sum(pq.ParquetFile(path).metadata.num_rows for path in files) > 0, name
        assert f"table {name}: " in done.stderr
    for word in ("lines", "MB/s", "lines counted", "lines rejected: ", "too few fields", "rolled up", "combined (1)"):
        assert word in done.stderr
    assert {path.name for path in place.out.iterdir()} == {*NINE, "_logblur"}
    assert json.loads((place.out / "_logblur" / "manifest.json").read_text())["version"] == 1
    before = place.tables()
    again = place.run(project / "sample_logs", "--quiet")
    assert (again.returncode, again.stderr) == (0, "")
    assert place.tables() == before


def test_strict_publishes_when_the_days_are_sealed(place: Place, project: Path) -> None:
    """With the strict policy nothing is published until a day is over; then rows come, without addresses and hours."""
    now = datetime(2026, 12, 1, tzinfo=UTC)

    def run(when: datetime) -> None:
        logblur.run(
            project / "sample_logs", place.out, policy="strict", state=place.state, clock=lambda: when, workers=2
        )

    run(now)
    assert place.tables() == {}
    run(now + timedelta(days=2))
    tables = place.tables()
    assert {name.split("/")[0] for name in tables} == {table.name for table in load_policy("strict").tables}
    columns = {column for rows in tables.values() for row in rows for column in row}
    assert "requests" in columns
    assert not columns & {"hour", "network"}


def test_records_has_nothing_to_publish(place: Place, project: Path) -> None:
    """A policy without tables is no policy to run; its records can be scanned."""
    done = place.run(project / "sample_logs", "-p", "records")
    assert done.returncode == 2
    assert "table" in done.stderr
    assert not place.out.exists()
    assert logblur.scan(project / "sample_logs", policy="records").collect().height > 9000


def test_a_missing_log_is_said_before_anything_is_made(place: Place) -> None:
    """A log that is not there ends with 4 and one line, and nothing is made."""
    done = place.run(place.folder / "none.log")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "no such file" in done.stderr
    assert not place.out.exists()


def test_a_folder_without_logs(place: Place) -> None:
    """A folder, or a glob, that holds no log ends with 4."""
    (place.folder / "logs").mkdir()
    for name in ("logs", "logs/*.gz"):
        done = place.run(place.folder / name)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1)


def zstd(data: bytes) -> bytes:
    """One frame, with a checksum."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


BROKEN = {
    "truncated.gz": lambda: gzip.compress(GOOD)[:-100],
    "truncated.bz2": lambda: bz2.compress(GOOD)[:-100],
    "truncated.xz": lambda: lzma.compress(GOOD)[:-100],
    "truncated.zst": lambda: zstd(GOOD)[:-100],
    "corrupt.zst": lambda: zstd(GOOD)[:-4] + b"\0" * 4,
    "corrupt.gz": lambda: gzip.compress(GOOD)[:-8] + b"\0" * 8,
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_archive_counts_nothing_and_the_others_do(name: str, place: Place) -> None:
    """A truncated or corrupt archive ends with 4; the other log counts, and a whole copy completes it."""
    other = place.log("other.log", GOOD.replace(b"GET / ", b"GET /other "))
    broken = place.log(name, BROKEN[name]())
    done = place.run(broken, other)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].startswith(f"logblur: {broken}: ")
    assert place.requests() == 500
    broken.write_bytes(gzip.compress(GOOD))
    assert place.run(broken, other).returncode == 0
    assert place.requests() == 1000


def test_out_that_cannot_be(place: Place) -> None:
    """An OUT that is a file, below a file, or where nothing can be made ends with 5."""
    log = place.log("access.log", GOOD)
    file = place.log("file", b"")
    for out in (file, file / "below", Path("/proc/logblur")):
        place.out = out
        done = place.run(log)
        assert (done.returncode, done.stderr.count("\n")) == (5, 1), done.stderr
        assert file.read_bytes() == b""


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_out_that_may_not_be_written(place: Place) -> None:
    """An OUT without permission ends with 5."""
    log = place.log("access.log", GOOD)
    place.out.mkdir(mode=0o500)
    assert place.run(log).returncode == 5


@pytest.mark.parametrize("limit", [0, 3000, 20_000])
def test_a_full_disk(limit: int, place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where files can grow no further the run ends with 5, every file is whole, and a rerun gives what was to be."""
    many = b"".join(line(n, f"/page{chr(97 + n % 26)}") for n in range(3000))
    log = place.log("access.log", many)

    def before() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    done = place.start(log, before=before)
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("\n") == 1
    assert place.requests() in (0, 3000)
    assert place.run(log).returncode == 0
    undisturbed = Place(tmp_path_factory.mktemp("undisturbed"))
    undisturbed.run(log)
    assert place.tables() == undisturbed.tables()
    assert place.requests() == 3000


def test_too_many_rejects(place: Place) -> None:
    """A log of which too many lines do not fit ends with 4 and the reasons; the other logs of the call stay counted."""
    bad = place.log("bad.log", b"".join(line(n) if n % 10 else b"192.0.2.1 junk\n" for n in range(100)))
    good = place.log("good.log", GOOD)
    done = place.run(bad, good)
    assert done.returncode == 4
    said = done.stderr.splitlines()[-1]
    assert "10 of 100 lines" in said
    assert "too few fields 10" in said
    assert place.requests() == 500
    done = place.run(bad, good)  # it is not forgotten
    assert done.returncode == 4
    assert place.requests() == 500


def test_an_unknown_format(place: Place) -> None:
    """Lines of no known format end with 2 and what to do; so does a format that is none, before a byte is read."""
    done = place.run(place.log("junk.log", b"some words\n" * 50))
    assert (done.returncode, "--format" in done.stderr) == (2, True)
    done = place.run(place.folder / "none.log", "--format", "%h %nonsense")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    done = place.run(place.folder / "none.log", "--format", "combind")
    assert (done.returncode, "combined" in done.stderr) == (2, True)


def test_a_broken_policy_is_refused_before_a_byte_is_read(place: Place) -> None:
    """A policy that does not add up ends with 2 and the key's path; not even that the log is missing is noticed."""
    text = builtin_text("audience").replace('referer     = { method = "domain" }', "")
    policy = place.log("mine.toml", text.encode())
    done = place.run(place.folder / "none.log", "-p", policy)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "table[5]" in done.stderr
    assert not place.out.exists()


@pytest.fixture
def waiting(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """A run that has read three megabytes of standard input and waits for more."""
    process = subprocess.Popen(place.words("-"), stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"".join(line(n) for n in range(24_000)))
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while not (place.state / "lock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.5)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize(
    "number, code, word", [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_a_run_that_waits(
    number: int, code: int, word: str, waiting: subprocess.Popen[bytes], place: Place
) -> None:
    """Ctrl-C and SIGTERM end a run at once, though its input is open and silent; a second run there had exit 7."""
    log = place.log("access.log", GOOD)
    second = place.run(log)
    assert (second.returncode, second.stderr.count("\n")) == (7, 1)
    waiting.send_signal(number)
    assert waiting.wait(timeout=5) == code
    assert waiting.stderr is not None
    assert waiting.stderr.read().decode() == f"logblur: {word}\n"
    assert place.requests() == 0
    assert place.run(log).returncode == 0
    assert place.requests() == 500


def test_a_signal_at_any_moment_leaves_out_whole(
    place: Place, tmp_path_factory: pytest.TempPathFactory, project: Path
) -> None:
    """A run that is stopped again and again leaves whole files, and a rerun gives what an undisturbed run gives."""
    logs = project / "sample_logs"
    times = []
    for name in ("warm-up", "undisturbed"):  # the first may still have kernels to load from disk
        undisturbed = Place(tmp_path_factory.mktemp(name))
        began = time.monotonic()
        undisturbed.start(logs)
        times.append(time.monotonic() - began)
    took = min(times)
    codes = set()
    for number, share in ((signal.SIGINT, 0.6), (signal.SIGTERM, 0.75), (signal.SIGINT, 0.85), (signal.SIGTERM, 0.95)):
        process = subprocess.Popen(place.words(logs), stderr=subprocess.PIPE)
        time.sleep(took * share)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        codes.add(process.returncode)
        assert b"Traceback" not in said, said
        place.requests()
    assert codes <= {0, 130, 143}
    assert codes & {130, 143}
    assert place.run(logs).returncode == 0
    assert place.tables() == undisturbed.tables()


def test_standard_input_counts_its_last_line(place: Place) -> None:
    """What comes through a pipe is a log of its own: its last line needs no newline, and twice is twice."""
    assert place.start("-", stdin=GOOD[:-1]).returncode == 0
    assert place.requests() == 500
    assert place.start("-", stdin=gzip.compress(GOOD)).returncode == 0
    assert place.requests() == 1000


def test_the_last_line_of_a_file_waits(place: Place) -> None:
    """A plain file's last line without a newline is left for the next run; an archive's counts."""
    log = place.log("access.log", GOOD[:-1])
    done = place.run(log)
    assert (done.returncode, place.requests()) == (0, 499)
    assert "incomplete last lines" in done.stderr
    log.write_bytes(GOOD)
    place.run(log)
    assert place.requests() == 500
    place.run(place.log("other.gz", gzip.compress(GOOD.replace(b"GET / ", b"GET /other ")[:-1])))
    assert place.requests() == 1000


@pytest.mark.parametrize(
    "data, lines",
    [(b"", 0), (b"\n" * 7, 7), (b" \t\r\n\r\n", 2), (b"# software\n# more\n", 2), (b"no newline", 0), (b"\n\0", 1)],
)
def test_logs_that_say_nothing(data: bytes, lines: int, place: Place) -> None:
    """Empty files, blank lines, comments and an unfinished first line are no error and publish nothing."""
    done = place.run(place.log("access.log", data))
    assert done.returncode == 0
    assert f"{lines} lines, " in done.stderr
    assert place.tables() == {}


HOSTILE = {
    "nul bytes and a word": (b"\0" * 300 + b"word\n", 0),
    "nul within": (line(1).replace(b"GET /", b"GET /\0\0"), 1),
    "crlf": (line(1).replace(b"\n", b"\r\n"), 1),
    "invalid utf-8": (line(1).replace(b"GET /", b"GET /\xff\xfe\xc3"), 1),
    "60 kB": (line(1, "/" + "a" * 60_000), 1),
    "70 kB": (line(1, "/" + "a" * 70_000), 0),
    "5 MB": (line(1, "/" + "a" * 5_000_000), 0),
    "5 MB of nothing": (b"a" * 5_000_000 + b"\n", 0),
    "backslashes": (line(1, "/" + "\\" * 9_001), 1),
    "quotes": (b'"' * 3_000 + b"\n", 0),
    "open bracket": (b"192.0.2.1 - - [" + b"[" * 5_000 + b"\n", 0),
    "form feeds": (line(1, "/\x0b\x0c\x1c\x85\u2028".encode().decode("latin-1")), 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_line_costs_nothing_but_itself(name: str, place: Place) -> None:
    """Whatever a line is, the lines around it count, and it is a row or a reject."""
    odd, rows = HOSTILE[name]
    half = len(GOOD) // 2
    half = GOOD.index(b"\n", half) + 1
    summary = logblur.run(
        place.log("access.log", GOOD[:half] + odd + GOOD[half:]), place.out, state=place.state, workers=2
    )
    assert summary.errors == ()
    assert summary.rows == 500 + rows
    assert sum(summary.rejects.values()) == 1 - rows
    assert summary.lines == 501
    assert place.requests() == 500 + rows


def test_a_hostile_name_reaches_no_terminal(place: Place) -> None:
    """A log's name with escape sequences, newlines or broken UTF-8 is escaped wherever it is said."""
    folder = place.folder / "logs\x1b]0;owned\x07\u202e"
    folder.mkdir()
    bad = os.fsencode(folder) + b"/a\xff\nb\x1b[2J.gz"
    with open(bad, "wb") as file:  # noqa: PTH123 (its name is bytes)
        file.write(gzip.compress(GOOD)[:-30])
    (folder / "good.log").write_bytes(GOOD)
    done = place.run(folder)
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1].count("logblur: ") == 1
    assert all(c.isprintable() or c == "\n" for c in done.stderr)
    assert r"\x1b" in done.stderr
    assert place.requests() == 500
    done = place.run(str(place.folder / "\x1b[31mnone"))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)


def test_the_first_error_decides_the_exit(place: Place) -> None:
    """Quiet still says what went wrong, each log in one line."""
    junk, cut = place.log("junk.log", b"some words\n" * 9), place.log("cut.gz", gzip.compress(GOOD)[:-50])
    done = place.run("-q", cut, junk, place.log("good.log", GOOD))
    assert (done.returncode, done.stderr.count("\n")) == (4, 2)
    assert place.run("-q", junk, cut).returncode == 2
    assert place.requests() == 500


def test_logs_in_every_compression(place: Place) -> None:
    """Plain, gz, zst, bz2 and xz count alike, and a log that was counted plain is known compressed."""
    pack: dict[str, Callable[[bytes], bytes]] = {
        "gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress, "zst": zstd, "log": bytes,
    }  # fmt: skip
    for name, compress in pack.items():
        place.log(f"{name}.{name}", compress(GOOD.replace(b"GET / ", b"GET /%b " % name.encode())))
    assert place.run(str(place.folder / "*.*")).returncode == 0
    assert place.requests() == 2500
    for name in pack:
        place.log(f"again-{name}.gz", gzip.compress(GOOD.replace(b"GET / ", b"GET /%b " % name.encode())))
    assert place.run(place.folder / "*.gz").returncode == 0
    assert place.requests() == 2500

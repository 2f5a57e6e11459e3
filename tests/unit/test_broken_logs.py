"""Files that broke on their way: each has an outcome, and the good lines in them are read."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from logblur.cli import main
from logblur.errors import InputError
from logblur.inspection import inspect

LINE = b'192.0.2.%d - - [17/May/2026:10:05:%02d +0000] "GET /page/%d HTTP/1.1" 200 5 "-" "Mozilla/5.0 (X11)"\n'
GOOD = b"".join(LINE % (k % 250, k % 60, k) for k in range(500))


def written(folder: Path, data: bytes) -> str:
    """The path of a log that holds this."""
    path = folder / "access.log"
    path.write_bytes(data)
    return str(path)


def test_an_archive_appended_to_a_text_log_costs_its_own_lines(tmp_path: Path) -> None:
    """What a rotation wrote into the wrong file is refused; the lines before and behind it are read."""
    found = inspect(written(tmp_path, GOOD + gzip.compress(GOOD) + b"\n" + GOOD))
    assert (found.format, found.parsed) == ("combined", 1000)
    assert 0 < found.lines - found.parsed < 100


def test_the_good_lines_of_a_truncated_archive_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``inspect`` tells the damage and what is readable before it; ``run`` counts nothing of it and ends with 4."""
    log = written(tmp_path, gzip.compress(GOOD * 40, mtime=0)[:-2000])
    found = inspect(log)
    assert 0 < found.parsed < 20_000
    assert "ends too early" in found.damage
    assert main(["run", log, "-o", str(tmp_path / "out"), "--state", str(tmp_path / "state")]) == 4
    assert "ends too early" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_archives_one_behind_the_other_are_one_log(tmp_path: Path) -> None:
    """``cat a.gz b.gz`` is what `cat` of both logs is."""
    assert inspect(written(tmp_path, gzip.compress(GOOD) + gzip.compress(GOOD))).parsed == 1000


def test_a_byte_order_mark_is_no_part_of_an_address(tmp_path: Path) -> None:
    """A log that an editor saved is read whole."""
    found = inspect(written(tmp_path, b"\xef\xbb\xbf" + GOOD))
    assert (found.format, found.parsed, found.lines) == ("combined", 500, 500)


def test_a_log_cut_in_place_is_read_behind_the_hole(tmp_path: Path) -> None:
    """The NULs that a server leaves that goes on writing at its old place are stepped over, however many there are."""
    for size in (50_000, 100_000, 300_000, 5 << 20, 4 << 20):
        found = inspect(
            written(tmp_path, b"\0" * size + b"www.example.org " + GOOD.replace(b"\n", b"\nwww.example.org "))
        )
        assert (found.format, found.parsed) == ("vhost_combined_without_port", 500)


def test_offsets_count_the_bytes_of_a_hole(tmp_path: Path) -> None:
    """Behind a hole of many blocks the offset is that of the log, and a run that goes on there finds its lines."""
    log = written(tmp_path, b"\0" * (7 << 20) + GOOD)
    out = ["-o", str(tmp_path / "out"), "--state", str(tmp_path / "state")]
    assert main(["run", log, *out]) == 0
    with Path(log).open("ab") as more:
        more.write(GOOD.replace(b"192.0.2", b"198.51.100"))
    assert main(["run", log, *out]) == 0
    counted = pl.read_parquet(tmp_path / "out" / "traffic")["requests"].sum()
    assert counted == 1000


def test_fields_behind_a_byte_order_mark_are_followed(tmp_path: Path) -> None:
    """A mark before the first ``#Fields`` hides it from nobody, in a block or over several."""
    fields = b"\xef\xbb\xbf#Fields: date time c-ip cs-method cs-uri-stem sc-status\n"
    line = b"2026-05-17 10:05:03 192.0.2.7 GET /a 200\n"
    for lines in (1, 100_000):
        found = inspect(written(tmp_path, fields + line * lines))
        assert (found.format, found.parsed, dict(found.rejects)) == ("w3c", lines, {})


def test_text_in_utf_16_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """It is no format that is missing, and the message says so."""
    with pytest.raises(InputError, match="iconv"):
        inspect(written(tmp_path, GOOD.decode().encode("utf-16")))


def test_an_unclosed_quote_costs_its_own_line(tmp_path: Path) -> None:
    """However many quotes are open, the next line begins anew."""
    lines = GOOD.splitlines(keepends=True)
    for k in range(0, 500, 5):
        lines[k] = lines[k].replace(b'X11)"', b"X11)")
    found = inspect(written(tmp_path, b"".join(lines)), format="combined")
    assert (found.parsed, dict(found.rejects)) == (400, {"unclosed quote": 100})

"""Sealing through the front door: what is gone afterwards, and what stays as it was."""

from __future__ import annotations

import json
import shutil
import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import logblur
from logblur.cli import main
from logblur.dataset.state import open_state
from logblur.errors import OutputError, UsageError
from logblur.keys import system_keys
from logblur.pipeline import seal

DAY = date(2026, 5, 17)
PLANTED = "zqxplanted"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def at(days: int) -> datetime:
    """Noon, so many days after the day."""
    return datetime(2026, 5, 17, 12, tzinfo=UTC) + timedelta(days)


def write_log(path: Path, *, first: str = "") -> Path:
    """Write a log of twenty clients, one of whom asks for what nobody else does."""
    line = '192.0.2.%d - - [17/May/2026:10:05:03 +0000] "GET /%s HTTP/1.1" 200 512 "-" "%s"\n'
    lines = [line % (n, "index", AGENT) for n in range(1, 21)] + [line % (1, PLANTED, AGENT)]
    path.write_text(first + "".join(lines))
    return path


def everything(folder: Path) -> bytes:
    """All bytes of all files: a ledger's free pages and its log of writes too."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def in_any_form(secrets: set[bytes], data: bytes) -> bool:
    """Whether one of them is there, as it is, backwards, or in hex."""
    shapes = [shape for secret in secrets for shape in (secret, secret[::-1])]
    return any(shape in data or shape.hex().encode() in data for shape in shapes)


def tokens(out: Path, state: Path, day: date = DAY) -> set[bytes]:
    """The tokens of an open day."""
    with open_state(out, state, clock=lambda: at(0), keys=system_keys) as opened:
        people = [partial.people for partial in opened.read_partials(day)]
    return {
        token.to_bytes(8, "little")
        for table in people
        for name in ("visitor", "client")
        for token in table[name].to_pylist()
    }


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A log, and the OUT and state in which it was counted."""
    log, out, state = write_log(tmp_path / "log"), tmp_path / "out", tmp_path / "state"
    summary = logblur.run(log, out, state=state, clock=lambda: at(0))
    assert (summary.rows, summary.errors) == (21, ())
    return log, out, state


def test_sealing_leaves_no_token_and_no_value(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """Key and partials are gone, and neither a token nor a value is in any byte of the state."""
    _, out, state = folders
    secrets = tokens(out, state)
    assert len(secrets) >= 40
    key = (state / "keys" / f"{DAY}.key").read_bytes()
    assert key in everything(state)
    assert len(list((state / "partials").iterdir())) == 1

    # the control: a search of this kind finds what stands in a ledger's free pages, or in its log of writes
    shutil.copytree(state, tmp_path / "control")
    ledger = sqlite3.connect(tmp_path / "control" / "ledger.sqlite")
    ledger.execute("PRAGMA secure_delete = off")
    ledger.execute("CREATE TABLE control (token BLOB)")
    ledger.executemany("INSERT INTO control VALUES (?)", [(token,) for token in secrets])
    ledger.execute("DROP TABLE control")
    ledger.commit()
    assert in_any_form(secrets, everything(tmp_path / "control"))
    ledger.close()
    assert not in_any_form(secrets, everything(state))  # an open day's are encrypted

    assert seal(out, state=state, clock=lambda: at(9)) == (DAY,)
    with open_state(out, state, clock=lambda: at(9), keys=system_keys):  # open: with its log of writes
        left = everything(state)
    assert not in_any_form(secrets | {key}, left)
    assert PLANTED.encode() not in left
    assert b"192.0.2." not in left
    assert list((state / "keys").iterdir()) == list((state / "partials").iterdir()) == []
    assert json.loads((out / "_logblur" / "manifest.json").read_text())["days"][str(DAY)]["sealed"] is True


def test_a_replay_changes_nothing_and_makes_no_token_again(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    """The same lines after the seal are late: no byte of a table changes, and no token comes again anywhere."""
    _, out, state = folders
    secrets = tokens(out, state)
    assert seal(out, state=state, day=DAY, clock=lambda: at(1)) == (DAY,)
    tables = {path: path.read_bytes() for path in out.rglob("*.parquet")}
    assert len(tables) == 9

    again = write_log(
        tmp_path / "replay", first='192.0.2.99 - - [17/May/2026:10:05:02 +0000] "GET / HTTP/1.1" 200 1 "-" "-"\n'
    )
    summary = logblur.run(again, out, state=state, clock=lambda: at(1))
    assert (summary.late, summary.logs_known) == (22, 0)
    assert {path: path.read_bytes() for path in out.rglob("*.parquet")} == tables
    assert json.loads((out / "_logblur" / "manifest.json").read_text())["days"][str(DAY)]["late"] == 30
    assert not in_any_form(secrets, everything(state))
    assert list((state / "keys").iterdir()) == []

    logblur.run(again, tmp_path / "out2", state=tmp_path / "state2", clock=lambda: at(1))
    assert not secrets & tokens(tmp_path / "out2", tmp_path / "state2")


def test_only_due_days_are_sealed(folders: tuple[Path, Path, Path]) -> None:
    """A day is due two days past its end; sealing again does nothing, and a day that was never counted is refused."""
    _, out, state = folders
    assert seal(out, state=state, clock=lambda: at(1)) == ()
    assert seal(out, state=state, clock=lambda: at(3)) == (DAY,)
    assert seal(out, state=state, clock=lambda: at(3)) == seal(out, state=state, day=DAY) == ()
    with pytest.raises(UsageError, match="nothing to seal"):
        seal(out, state=state, day=DAY + timedelta(1))
    with pytest.raises(OutputError, match="manifest is missing"):
        seal(out / "typo", state=state)
    assert not (out / "typo").exists()


def test_the_command(folders: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what it sealed; with two wishes at once it does nothing."""
    _, out, state = folders
    words = ["seal", "-o", str(out), "--state", str(state)]
    assert main([*words, "--all-due", "--day", str(DAY)]) == 2
    assert main([*words, "--day", "2026-05-18"]) == 2
    assert main([*words, "--day", "soon"]) == 2
    capsys.readouterr()
    assert main([*words, "--day", str(DAY)]) == 0
    assert main([*words, "--day", str(DAY)]) == 0
    assert main(words) == 0
    said = [f"{DAY} is sealed", "this day was sealed before", "no day is due"]
    assert capsys.readouterr() == ("", "".join(f"logblur: {line}\n" for line in said))

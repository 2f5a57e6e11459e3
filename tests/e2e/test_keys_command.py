"""``logblur keys`` through the front door: made, listed by id, and destroyed for ever, with a record of it."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import logblur
from logblur import durable
from logblur.cli import main
from logblur.dataset.state import open_state
from logblur.errors import UsageError
from logblur.keys import system_keys
from logblur.pipeline import seal
from logblur.pipeline.keyring import destroy_key, list_keys

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
POLICY = """
version = 1
name = "joined"
purpose = "attacks"
legal_basis = "legitimate-interests"
retention = "1 month"
[keys]
archive = { file = "FOLDER/archive.key" }
other = { env = "LOGBLUR_TEST_OTHER" }
[fields]
time = { method = "hour" }
remote_addr = { method = "pseudonym", key = "archive" }
"""
LINE = '192.0.2.%d - - [17/May/2026:10:05:03 +0000] "GET /index HTTP/1.1" 200 512 "-" "%s"\n'
SECRET = "0123456789abcdef" * 2
NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A log, the OUT and state in which it was counted on its day, and a policy with keys."""
    (tmp_path / "log").write_text("".join(LINE % (n, AGENT) for n in range(1, 21)))
    logblur.run(tmp_path / "log", tmp_path / "out", state=tmp_path / "state", clock=lambda: NOON)
    (tmp_path / "p.toml").write_text(POLICY.replace("FOLDER", str(tmp_path)))
    return tmp_path


def keys(folder: Path, *arguments: str) -> int:
    """Run a command of ``logblur keys`` on these folders."""
    where = [] if arguments[0] == "new" else ["-o", str(folder / "out"), "--state", str(folder / "state")]
    return main(["keys", *arguments, *where, "-p", str(folder / "p.toml")])


def pseudonyms(folder: Path) -> list[str]:
    """What a scan makes of the addresses."""
    return logblur.scan(folder / "log", policy=folder / "p.toml").collect()["remote_addr"].to_list()


def test_a_destroyed_key_is_recorded_and_its_pseudonyms_never_come_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file goes, id, time and reason stay; a new key of the name gives the same addresses other pseudonyms."""
    assert keys(folder, "new", "archive") == 0
    said = capsys.readouterr().err
    secret, first = (folder / "archive.key").read_text().strip(), pseudonyms(folder)
    (made,) = re.findall(r"a new key of 16 bytes, id ([0-9a-f]{16})", said)
    assert keys(folder, "new", "archive") == 5  # never over an existing one
    assert (folder / "archive.key").read_text().strip() == secret
    assert keys(folder, "destroy", made, "--reason", "the project ends") == 0
    assert not (folder / "archive.key").exists()
    assert main(["filter", "-p", str(folder / "p.toml"), str(folder / "log")]) == 3
    assert keys(folder, "destroy", "archive", "--reason", "again") == 0
    assert "destroyed before" in capsys.readouterr().err
    assert keys(folder, "new", "archive") == 0
    again = pseudonyms(folder)
    assert len(set(first)) == len(set(again)) == 20
    assert not set(first) & set(again)
    assert keys(folder, "list") == 0
    said = capsys.readouterr()
    gone = next(line for line in said.out.splitlines() if made in line)
    assert re.search(
        r"operator +archive +[0-9a-f]{16} +destroyed +\d{4}-\d\d-\d\d \d\d:\d\d UTC +the project ends", gone
    )
    assert re.search(r"operator +archive +[0-9a-f]{16} +ready +- +-\n", said.out)
    assert re.search(r"operator +other +- +the key 'other' .* is not set", said.out)
    everything = said.out.encode() + b"".join(p.read_bytes() for p in (folder / "state").rglob("*") if p.is_file())
    assert secret.encode() not in everything
    assert bytes.fromhex(secret) not in everything


def test_a_copy_of_a_destroyed_key_is_told(folder: Path) -> None:
    """A key that was destroyed and is there again is listed as a copy."""
    keys(folder, "new", "archive")
    copy = (folder / "archive.key").read_bytes()
    keys(folder, "destroy", "archive", "--reason", "x")
    (folder / "archive.key").write_bytes(copy)
    (folder / "archive.key").chmod(0o600)
    listed = list_keys(folder / "out", state=folder / "state", policy=folder / "p.toml", clock=lambda: NOON)
    (one,) = [one for one in listed if one.name == "archive"]
    assert one.state == "destroyed, and back: this is a copy"


def test_destroying_an_open_day_publishes_it_and_seals_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The day is published for the last time, its key is no more, later lines are late, and the record says why."""
    assert keys(folder, "list") == 0
    (key_id,) = re.findall(r"day +2026-05-17 +([0-9a-f]{16}) +open +- +-\n", capsys.readouterr().out)
    assert keys(folder, "destroy", "2026-05-17", "--reason", "a visitor objected") == 0
    assert not list((folder / "state" / "keys").iterdir())
    assert not list((folder / "state" / "partials").iterdir())
    entry = json.loads((folder / "out" / "_logblur" / "manifest.json").read_text())["days"]["2026-05-17"]
    assert (entry["sealed"], entry["key_id"]) == (True, key_id)
    pages = folder / "out" / "pages" / "date=2026-05-17" / "pages.parquet"
    assert pq.read_table(pages).num_rows == 1
    assert pq.read_schema(pages).metadata[b"logblur.key_id"].decode() == key_id
    with (folder / "log").open("a") as log:
        log.write(LINE % (99, AGENT))
    assert logblur.run(folder / "log", folder / "out", state=folder / "state", clock=lambda: NOON).late == 1
    capsys.readouterr()
    assert keys(folder, "destroy", key_id, "--reason", "again") == 0
    assert "destroyed before" in capsys.readouterr().err
    assert keys(folder, "list") == 0
    assert re.search(
        rf"day +2026-05-17 +{key_id} +destroyed +2\S+ \S+ UTC +a visitor objected", capsys.readouterr().out
    )


def test_a_day_that_is_due_is_in_the_record(folder: Path) -> None:
    """Sealing by itself is recorded like destroying by hand."""
    later = datetime(2026, 6, 1, tzinfo=UTC)
    assert len(seal(folder / "out", state=folder / "state", clock=lambda: later)) == 1
    (one,) = list_keys(folder / "out", state=folder / "state", clock=lambda: later)
    assert (one.state, one.at, one.reason) == ("destroyed", later, "seal_after is over")


def test_the_same_lines_give_other_tokens_after_a_days_key_is_destroyed(folder: Path) -> None:
    """A day counted anew elsewhere, under another key, shares no token with the one before."""

    def tokens(out: Path, state: Path) -> set[int]:
        with open_state(out, state, clock=lambda: NOON, keys=system_keys) as opened:
            partials = list(opened.read_partials(NOON.date()))
        return {token for partial in partials for token in partial.people["client"].to_pylist()}

    before = tokens(folder / "out", folder / "state")
    destroy_key("2026-05-17", folder / "out", reason="x", state=folder / "state", clock=lambda: NOON)
    logblur.run(folder / "log", folder / "out2", state=folder / "state2", clock=lambda: NOON)
    after = tokens(folder / "out2", folder / "state2")
    assert (len(before), len(after), before & after) == (20, 20, set())


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("destroy", "archiv", "--reason", "x"), 2, ", archive, "),
        (("destroy", "other", "--reason", "x"), 2, "comes from no file"),
        (("destroy", "2026-05-18", "--reason", "x"), 2, "there is no such key; there is 2026-05-17 (id "),
        (("destroy", "archive", "--reason", "two\nlines"), 2, "one line"),
        (("destroy", "archive"), 2, "--reason"),
        (("destroy", "archive", "--reason", "x"), 3, "missing"),
        (("new", "archiv"), 2, "did you mean 'archive'"),
        (("new", "other"), 2, "comes from no file"),
        (("new", "archive", "--bytes", "32"), 2, "wants 16 bytes"),
    ],
)
def test_wrong_calls_say_what_to_do(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, says: str
) -> None:
    """A key that is not there, comes from no file, or has another size: the exit code, and a line that helps."""
    assert keys(folder, *arguments) == code
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("typed", [SECRET, SECRET * 2, "EiM0RVZneImaq7zN3u/wAQ==", "x\x1b[2J\u202e", SECRET.upper()])
def test_what_was_typed_is_not_repeated(folder: Path, capsys: pytest.CaptureFixture[str], typed: str) -> None:
    """Who pastes a key where its id belongs finds it in no message: ids and names of what there is are said instead."""
    assert keys(folder, "new", "archive") == 0
    (made,) = re.findall(r"id ([0-9a-f]{16})", capsys.readouterr().err)
    (day,) = (one.id for one in list_keys(folder / "out", state=folder / "state", clock=lambda: NOON))
    for command in (("destroy", typed, "--reason", "x"), ("new", typed)):
        assert keys(folder, *command) == 2
        said = "".join(capsys.readouterr())
        assert not any(typed[at : at + 8].lower() in said.lower() for at in range(max(1, len(typed) - 7)))
        assert "no such key" in said
        assert command[0] == "new" or f"2026-05-17 (id {day}), archive (id {made}), other" in said


def test_of_many_days_the_newest_are_named(tmp_path: Path) -> None:
    """Where there is no such key, the last five open days are named and the others counted."""
    log = tmp_path / "log"
    log.write_text("".join(LINE.replace("17/May", f"{day}/May") % (7, AGENT) for day in range(10, 18)))
    where = {"state": tmp_path / "state", "clock": lambda: NOON}
    logblur.run(log, tmp_path / "out", **where)
    with pytest.raises(UsageError, match=r"2026-05-13 .* 2026-05-17 \(id \w+\), and 3 older days") as refused:
        destroy_key("x", tmp_path / "out", reason="x", **where)
    assert "2026-05-12" not in str(refused.value)


def test_no_other_file_is_destroyed_as_a_key(folder: Path) -> None:
    """What the policy names by mistake and is no key stays as it is; one that others can read goes."""
    path = folder / "archive.key"
    path.write_text("the only copy of something else\n")
    assert keys(folder, "destroy", "archive", "--reason", "x") == 3
    assert path.read_text() == "the only copy of something else\n"
    path.write_text("12" * 16)
    path.chmod(0o644)
    assert keys(folder, "destroy", "archive", "--reason", "others could read it") == 0
    assert not path.exists()


def test_without_an_out_nothing_is_destroyed_or_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong OUT is exit 5, and no folder appears."""
    for command in (["list"], ["destroy", "2026-05-17", "--reason", "x"]):
        assert main(["keys", *command, "-o", str(tmp_path / "none")]) == 5
    assert "manifest is missing" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_a_kill_at_any_step_of_destroying_is_completed_by_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step a kill comes after, what is left is the key as it was or zeros, and asking again ends it."""
    for at in range(99):
        assert keys(folder, "new", "archive") == 0
        path, left = folder / "archive.key", at
        before = path.read_bytes()

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(durable, "step", die)
            where = {"state": folder / "state", "policy": folder / "p.toml", "clock": lambda: NOON}
            destroy_key("archive", folder / "out", reason="x", **where)
        if path.exists():
            assert path.read_bytes() in {before, bytes(len(before))}
            assert keys(folder, "destroy", "archive", "--reason", "y") == 0
            assert not path.exists()
        if left >= 0:
            break
    assert 2 < at < 99

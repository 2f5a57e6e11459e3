"""What need not be kept goes, and nothing else: days past their retention, and raw logs where the policy says so."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import logblur
from logblur import durable, load_policy
from logblur.cli import main
from logblur.dataset.state import open_state
from logblur.errors import OutputError
from logblur.pipeline import purge, seal
from logblur.policy import Policy
from logblur.policy.load import builtin_text, decode
from logblur.policy.model import Duration
from logblur.policy.resolve import resolve
from logblur.privacy.contract import contract
from logblur.privacy.published import versions
from logblur.privacy.report import Verdict
from logblur.sources import discard as discarding
from logblur.sources.discard import is_finished
from logblur.summary import Removed, Summary

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
DAY = date(2026, 5, 17)
ARRIVAL = datetime(2026, 5, 18, 3, tzinfo=UTC)
LATER = ARRIVAL + timedelta(days=3)
OVER = datetime(2028, 6, 18, 12, tzinfo=UTC)  # 25 months after the day ended


def lines(day: date = DAY, count: int = 40) -> bytes:
    """Lines of a day, each of another client."""
    return b"".join(
        f'192.0.2.{n} - - [{day:%d/%b/%Y}:10:05:{n:02d} +0000] "GET / HTTP/1.1" 200 {n} "-" "{AGENT}"\n'.encode()
        for n in range(count)
    )


def policy_of(**keys: str) -> Policy:
    """The default policy, in UTC, that may delete logs, with other keys."""
    text = builtin_text("audience").replace("[input]\n", "[input]\ndelete_logs = true\n")
    for old, new in keys.items():
        text = text.replace(old, new)
    return decode(text.encode())


POLICY = policy_of()
KEEPS_LOGS = load_policy("audience")


def keys(purpose: str, size: int) -> bytes:
    """Give the same bytes for the same purpose."""
    return hashlib.shake_256(purpose.encode()).digest(size)


class Place:
    """A folder with logs, OUT and state."""

    def __init__(self, folder: Path) -> None:
        self.logs, self.out, self.state = folder / "logs", folder / "out", folder / "state"
        self.logs.mkdir()

    def log(self, name: str, data: bytes) -> Path:
        """Write a log."""
        path = self.logs / name
        path.write_bytes(data)
        return path

    def run(self, now: datetime = ARRIVAL, policy: Policy = POLICY) -> Summary:
        """Run over the logs."""
        return logblur.run(
            self.logs, self.out, policy=policy, state=self.state, clock=lambda: now, keys=keys, workers=1
        )

    def purge(
        self, *logs: Path, now: datetime = LATER, policy: Policy | None = POLICY, dry_run: bool = False
    ) -> Removed:
        """Purge."""
        return purge(self.out, logs, state=self.state, policy=policy, dry_run=dry_run, clock=lambda: now, keys=keys)

    def days(self) -> set[str]:
        """The partitions of OUT."""
        return {path.name for path in self.out.glob("*/date=*")}

    def manifest(self) -> dict[str, object]:
        """OUT's manifest."""
        return dict(json.loads((self.out / "_logblur" / "manifest.json").read_text()))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty folder."""
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("retention", "begins", "ends"),
    [
        (Duration(25, "month"), date(2026, 5, 18), date(2028, 6, 18)),
        (Duration(1, "month"), date(2027, 1, 31), date(2027, 2, 28)),
        (Duration(1, "year"), date(2028, 2, 29), date(2029, 2, 28)),
        (Duration(36, "hour"), date(2026, 12, 31), date(2027, 1, 2)),
        (Duration(2, "week"), date(2026, 12, 31), date(2027, 1, 14)),
    ],
)
def test_durations_follow_the_calendar(retention: Duration, begins: date, ends: date) -> None:
    """Months and years end on the same day of the month, or the last one there is; hours are rounded up to days."""
    assert retention.after(begins) == ends


def test_a_day_goes_when_its_retention_is_over(place: Place) -> None:
    """The run that starts when a day's retention is over removes it, and says so; late lines bring nothing back."""
    place.log("access.log.1", lines())
    for now in (ARRIVAL, LATER, OVER - timedelta(days=1)):
        summary = place.run(now, KEEPS_LOGS)
        assert (summary.removed, place.days()) == (Removed(), {"date=2026-05-17"})
    place.log("new.log", lines(date(2028, 6, 17)))
    summary = place.run(OVER, KEEPS_LOGS)
    assert (summary.removed.days, place.days()) == ((DAY,), {"date=2028-06-17"})
    assert place.manifest()["purged"] == ["2026-05-17"]
    assert list(dict(place.manifest()["days"])) == ["2028-06-17"]  # type: ignore[call-overload]
    place.log("late.log", lines(count=9))  # an older copy, but for its end
    assert place.run(OVER, KEEPS_LOGS).rows == 0
    place.log("late.log", lines(count=9)[1:])
    summary = place.run(OVER, KEEPS_LOGS)
    assert (summary.late, summary.removed, place.days()) == (9, Removed(), {"date=2028-06-17"})
    with open_state(place.out, place.state, clock=lambda: OVER, keys=keys) as state:
        assert state.ledger.removed() == ([DAY], 0)


def test_what_is_past_its_retention_is_not_kept(place: Place) -> None:
    """Lines of a day whose retention is over are late, whenever they come; the day is never published, nor named."""
    place.log("old.log", lines(date(2019, 1, 2)) + lines())
    summary = place.run(ARRIVAL, KEEPS_LOGS)
    assert (summary.rows, summary.late, summary.removed) == (80, 40, Removed())
    assert place.days() == {"date=2026-05-17"}
    assert [path.stem for path in (place.state / "keys").iterdir()] == ["2026-05-17"]
    assert "2019" not in json.dumps(place.manifest())
    place.log("older.log", lines(count=30)[:-1])
    assert place.run(OVER, KEEPS_LOGS).removed.days == (DAY,)


def test_purge_run_and_audit_agree(place: Place) -> None:
    """A day counted long after it ended passes the audit's contract on each day on which a run still keeps it."""
    place.log("backfilled.log", lines())
    for now in (OVER - timedelta(days=1), OVER):
        place.run(now, KEEPS_LOGS)
        assert bool(place.days()) == (now < OVER)
        found = contract(versions(place.out), KEEPS_LOGS, resolve(KEEPS_LOGS), today=now.date())
        assert found.verdict is Verdict.PASSED


def test_the_check_above_can_fail(place: Place) -> None:
    """A day that is still there when its retention is over breaks the contract."""
    place.log("backfilled.log", lines())
    place.run(OVER - timedelta(days=1), KEEPS_LOGS)
    assert contract(versions(place.out), KEEPS_LOGS, resolve(KEEPS_LOGS), today=OVER.date()).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("own", "given", "gone"),
    [("1 month", "2 years", True), ("2 years", "1 month", True), ("2 years", "2 years", False)],
)
def test_the_shorter_retention_holds(place: Place, own: str, given: str, gone: bool) -> None:
    """A day goes by the policy it opened with, or by that of the call, whichever is over first."""
    place.log("access.log.1", lines())
    place.run(policy=policy_of(**{"25 months": own}))
    now = ARRIVAL + timedelta(days=60)
    assert place.purge(now=now, policy=None).days == ((DAY,) if own == "1 month" else ())
    assert bool(place.purge(now=now, policy=policy_of(**{"25 months": given})).days) == (gone and own != "1 month")
    assert place.days() == (set() if gone else {"date=2026-05-17"})
    assert bool(list((place.state / "keys").iterdir())) != gone  # an open day's key dies with it
    assert bool(list((place.state / "partials").iterdir())) != gone


def test_a_dry_run_changes_nothing(place: Place) -> None:
    """What would go is said, and every byte of OUT, logs and state stays."""
    log = place.log("access.log.1", lines())
    place.run()
    seal(place.out, state=place.state, clock=lambda: LATER, keys=keys)
    before = {path: path.read_bytes() for path in place.out.parent.rglob("*") if path.is_file()}
    removed = place.purge(place.logs, now=OVER, dry_run=True)
    assert removed == Removed((DAY,), (str(log),))
    assert {path: path.read_bytes() for path in place.out.parent.rglob("*") if path.is_file()} == before
    assert place.purge(place.logs, now=OVER) == removed
    assert not log.exists()


def test_logs_go_only_when_all_of_them_is_counted_and_sealed(place: Place) -> None:
    """An open day, a new line, a changed file, a policy that does not say so, a log not named: each keeps a log."""
    log = place.log("access.log.1", lines())
    place.run()
    assert place.purge(log).logs == ()  # its day is open
    assert place.run(LATER).removed.logs == (str(log),)  # the run sealed the day first
    log = place.log("access.log.2", lines(count=50))
    place.run(LATER)
    log = place.log("access.log.2", lines(count=50) + lines(count=1))
    assert place.purge(log).logs == ()  # a line that was not counted
    place.run(LATER, policy=KEEPS_LOGS)
    assert place.purge(log, policy=KEEPS_LOGS).logs == ()
    assert place.purge(log, policy=None).logs == ()
    assert place.purge().logs == ()
    os.utime(log)
    assert place.purge(log).logs == ()  # touched
    assert log.exists()
    place.run(LATER)
    assert not log.exists()


def test_a_log_that_is_written_stays(place: Place) -> None:
    """A log that a process has open for writing is not removed, and its incomplete last line waits."""
    log = place.log("access.log", lines()[:-1])
    with log.open("ab"):
        assert place.run().waiting == 1
        seal(place.out, state=place.state, clock=lambda: LATER, keys=keys)
        assert place.run(LATER).removed.logs == ()
    assert log.exists()
    summary = place.run(LATER)  # nobody writes any more: the end of the data ends the line
    assert (summary.rows, summary.waiting, log.exists()) == (1, 0, False)


def test_no_link_is_followed(place: Place, tmp_path: Path) -> None:
    """A log behind a link, or a link itself, stays, and so does what it leads to."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.log").write_bytes(lines())
    (elsewhere / "b.log").write_bytes(lines(count=41))
    (place.logs / "a.log").symlink_to(elsewhere / "a.log")
    (place.logs / "folder").symlink_to(elsewhere)
    named = [place.logs / "a.log", place.logs / "folder" / "b.log"]
    logblur.run(named, place.out, policy=POLICY, state=place.state, clock=lambda: ARRIVAL, keys=keys)
    seal(place.out, state=place.state, clock=lambda: LATER, keys=keys)
    assert place.purge(*named).logs == ()
    assert len(list(elsewhere.iterdir())) == 2
    assert place.purge(elsewhere / "b.log").logs == ()  # counted under another name
    logblur.run(elsewhere / "b.log", place.out, policy=POLICY, state=place.state, clock=lambda: LATER, keys=keys)
    assert not (elsewhere / "b.log").exists()


def test_a_folder_of_out_that_is_a_link_is_refused(place: Place, tmp_path: Path) -> None:
    """Where a table of OUT is a link, nothing is removed behind it, and nothing else of that day."""
    place.log("access.log.1", lines())
    place.run()
    (place.out / "pages").rename(tmp_path / "moved")
    (place.out / "pages").symlink_to(tmp_path / "moved")
    for dry_run in (True, False):
        with pytest.raises(OutputError, match="pages: it is a link"):
            place.purge(now=OVER, dry_run=dry_run)
    assert len(list(place.out.glob("*/date=2026-05-17/*.parquet"))) == 9
    assert len(list((tmp_path / "moved").iterdir())) == 1


def test_what_else_lies_in_out_stays(place: Place) -> None:
    """Files that are not ours, beside a table's or within its partition, are not touched."""
    place.log("access.log.1", lines())
    place.run()
    other = [place.out / "pages" / "date=2026-05-17" / "notes.txt", place.out / "notes.txt"]
    for path in other:
        path.write_text("mine")
    place.purge(now=OVER)
    assert [path for path in place.out.rglob("*") if path.is_file() and path.parent.name != "_logblur"] == sorted(other)


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_a_kill_at_any_step_is_completed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended anywhere within a purge, the next one leaves what an undisturbed one leaves."""

    def begin(folder: Path) -> Place:
        folder.mkdir()
        place = Place(folder)
        place.log("access.log.1", lines())
        place.run()
        seal(place.out, state=place.state, clock=lambda: LATER, keys=keys)
        return place

    def contents(place: Place) -> dict[str, bytes]:
        files = [path for top in (place.out, place.logs) for path in top.rglob("*")]
        return {str(path.relative_to(place.out.parent)): path.read_bytes() if path.is_file() else b"" for path in files}

    undisturbed = begin(tmp_path / "undisturbed")
    undisturbed.purge(undisturbed.logs, now=OVER)
    assert undisturbed.days() == set()
    for at in range(100):
        place, left = begin(tmp_path / str(at)), at

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(durable, "step", die)
            with suppress(Killed):
                place.purge(place.logs, now=OVER)
        place.purge(place.logs, now=OVER)
        assert contents(place) == contents(undisturbed), at
        if left >= 0:
            break
    assert 10 < at < 99


def test_who_writes_can_be_told(tmp_path: Path) -> None:
    """A file is finished when no process has it open for writing; where the system cannot tell, it is not."""
    path = tmp_path / "log"
    path.write_bytes(b"x")
    with path.open("rb") as reading:
        assert is_finished(reading.fileno())
        with path.open("ab"):
            assert not is_finished(reading.fileno())
        assert is_finished(reading.fileno())
        path.open("ab").close()  # nothing holds a writer up


def test_where_nobody_can_tell_nothing_goes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without leases, as on other systems than Linux, no log is removed."""
    monkeypatch.delattr(discarding.fcntl, "F_SETLEASE")
    place.log("access.log.gz", gzip.compress(lines()))
    place.run()
    assert place.run(LATER).removed.logs == ()


def test_the_command(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """`purge` says what went; a policy and a log can be named; what is not there is an error."""

    def command(*words: str) -> tuple[int, str]:
        code = main(["purge", *words, "--state", str(place.state)])
        return code, capsys.readouterr().err

    assert command("-o", str(place.out))[0] == 5
    place.log("access.log.1", lines())
    place.run()
    out = ("-o", str(place.out))
    assert command(*out) == (0, "logblur: there is nothing to remove\n")
    assert command(*out, "-p", "none.toml")[0] == 2
    assert command(str(place.logs / "none"), *out)[0] == 4
    mine = place.out.parent / "mine.toml"
    mine.write_text(builtin_text("audience").replace("25 months", "1 day"))
    assert command(*out, "-p", str(mine), "--dry-run") == (0, "logblur: 2026-05-17 would go: its retention is over\n")
    assert command(*out, "-p", str(mine)) == (0, "logblur: 2026-05-17 is gone: its retention is over\n")
    assert place.days() == set()

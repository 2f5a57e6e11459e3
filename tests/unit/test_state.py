"""The state: private, locked, tied to its OUT; a kill anywhere leaves nothing that a new start does not put right."""

from __future__ import annotations

import fcntl
import hmac
import os
import shutil
import stat
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from logblur import durable
from logblur.dataset import state as state_module
from logblur.dataset.identity import Head
from logblur.dataset.ledger import NEW_LOG
from logblur.dataset.manifest import load, manifest_path
from logblur.dataset.partials import write_partial
from logblur.dataset.seal import seal_day
from logblur.dataset.state import State, default_folder, network_type, open_state
from logblur.errors import KeyMaterialError, LockedError, LogblurError, OutputError, UsageError
from logblur.schema import Partial

DAY = date(2026, 3, 14)
NOW = datetime(2026, 3, 15, 3, 0, tzinfo=UTC)
TOKEN = b"\x88token!!"


def fixed_keys(purpose: str, size: int) -> bytes:
    """Give the same bytes for the same purpose."""
    return hmac.digest(b"test", purpose.encode(), "sha512")[:size]


def clock() -> datetime:
    """Give the present time."""
    return NOW


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give an OUT."""
    return tmp_path / "out"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the path of a state."""
    return tmp_path / "state"


def count(state: State, data: bytes = b"a line\n", day: date = DAY) -> str:
    """Count one segment; return the name of its partial."""
    state.ledger.pin_timezone(ZoneInfo("UTC"))
    _, key = state.open_day(day, plan_digest="p", plan="plan", seal_after=timedelta(days=2))
    token = pa.array([int.from_bytes(TOKEN, "little")], pa.uint64())
    partial = Partial(day, pa.table({"visitor": token, "client": token}), {})
    file = write_partial(state.partials, partial, key, plan_digest="p", keys=fixed_keys)
    done = state.ledger.commit(
        NEW_LOG, head=Head(0, data), tail=data, new_offset=len(data), partials=[file], rejects={}, late={}
    )
    assert done is not None
    return file.name


def everything(folder: Path) -> bytes:
    """Return the bytes of all files."""
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_a_new_state_is_private_and_tied_before_any_table(out: Path, folder: Path) -> None:
    """The first opening makes a 0700 state of 0600 files and an OUT whose manifest holds the state's id."""
    before = os.umask(0)
    try:
        with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
            count(state)
            tied = load(out)
            assert tied is not None
            assert (tied.state, len(state.id)) == (state.id, 32)
            modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_the_same_pair_opens_again(out: Path, folder: Path) -> None:
    """What counted counts at the next opening, and the partials can be read."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        count(state)
        first = state.id
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        (partial,) = state.read_partials(DAY)
        assert (state.id, partial.day, partial.people.num_rows) == (first, DAY, 1)
        assert list(state.read_partials(date(2020, 1, 1))) == []


def test_an_id_is_random_or_the_key_sources(out: Path, folder: Path, tmp_path: Path) -> None:
    """Equal key sources give equal ids, others do not."""
    ids = []
    for number, source in enumerate([fixed_keys, fixed_keys, lambda _, size: os.urandom(size)]):
        with open_state(tmp_path / f"o{number}", tmp_path / f"s{number}", clock=clock, keys=source) as state:
            ids.append(state.id)
    assert ids[0] == ids[1] != ids[2]


def test_a_second_run_is_locked_out_at_once(out: Path, folder: Path) -> None:
    """While one run works another ends with exit 7; a lock of another process counts as well."""
    with open_state(out, folder, clock=clock, keys=fixed_keys):
        code = (
            "import sys; from pathlib import Path; from logblur.dataset.state import open_state\n"
            "from logblur.errors import LockedError\n"
            "try:\n with open_state(Path(sys.argv[1]), Path(sys.argv[2]), clock=None, keys=None): pass\n"
            "except LockedError as error: sys.exit(error.exit_code)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(out), str(folder)], check=False, timeout=30)
    assert done.returncode == 7
    with (folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LockedError), open_state(out, folder, clock=clock, keys=fixed_keys):
            pass
    with open_state(out, folder, clock=clock, keys=fixed_keys):
        pass


def refused(out: Path, folder: Path, match: str, error: type[LogblurError] = OutputError) -> None:
    """Opening is refused, and no file of OUT changes."""
    before = everything(out) if out.exists() else b""
    with pytest.raises(error, match=match) as caught, open_state(out, folder, clock=clock, keys=os_keys):
        pass
    assert "\n" not in str(caught.value)
    assert (everything(out) if out.exists() else b"") == before


def os_keys(_: str, size: int) -> bytes:
    """Give random bytes."""
    return os.urandom(size)


def test_a_state_and_an_out_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    """A new state on a used OUT, another's OUT, and an OUT without manifest: all exit 5."""
    for name in ("1", "2"):
        with open_state(tmp_path / f"out{name}", tmp_path / f"state{name}", clock=clock, keys=os_keys) as state:
            count(state)
    refused(tmp_path / "out1", tmp_path / "new", "this state is new")
    refused(tmp_path / "out1", tmp_path / "state2", "another state")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "x.parquet").write_bytes(b"x")
    refused(tmp_path / "files", tmp_path / "new2", "choose an empty OUT")
    manifest_path(tmp_path / "out1").unlink()
    (tmp_path / "out1" / "x").write_bytes(b"x")
    refused(tmp_path / "out1", tmp_path / "state1", "no manifest")
    refused(tmp_path / "out1" / "in", tmp_path / "out1", "within each other", UsageError)
    refused(tmp_path / "out1", tmp_path / "out1" / "in", "within each other", UsageError)


def test_a_deleted_out_is_published_again_until_a_day_is_sealed(out: Path, folder: Path) -> None:
    """Open days become dirty when OUT is gone; once a day of it is sealed, the state refuses an empty OUT."""
    with open_state(out, folder, clock=clock, keys=os_keys) as state:
        count(state)
        (day,) = state.ledger.days()
        state.ledger.mark_clean(day.day)
    shutil.rmtree(out)
    with open_state(out, folder, clock=clock, keys=os_keys) as state:
        assert [record.day for record in state.ledger.dirty_days()] == [day.day]
        state.ledger.mark_clean(day.day)
        state.ledger.seal(day.day, clock())
    shutil.rmtree(out)
    refused(out, folder, "OUT is gone")


def test_a_state_that_lost_its_ledger_or_key_is_refused(out: Path, folder: Path) -> None:
    """Without its ledger, or with another identity key, a state would count everything again; it is refused."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        count(state)
    shutil.copytree(folder, folder.parent / "copy")
    (folder / "ledger.sqlite").unlink()
    refused(out, folder, "ledger is missing")
    refused(folder.parent / "fresh", folder, "ledger is missing")
    (folder / "ledger.sqlite").write_bytes(b"")
    refused(out, folder, "ledger is missing")
    copy = folder.parent / "copy"
    secret = (copy / "identity.key").read_bytes()
    (copy / "identity.key").write_bytes(b"x" * 32)
    refused(out, copy, "another state's key", KeyMaterialError)
    (copy / "identity.key").unlink()
    refused(out, copy, "key is missing", KeyMaterialError)
    (copy / "identity.key").write_bytes(secret)
    (copy / "identity.key").chmod(0o644)
    refused(out, copy, "others can read", KeyMaterialError)


def test_a_day_key_that_was_exchanged_is_refused(out: Path, folder: Path) -> None:
    """A day whose key is missing, or not the one it opened with, is neither continued nor read."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        count(state)
        path = folder / "keys" / "2026-03-14.key"
        path.write_bytes(b"x" * 32)
        with pytest.raises(KeyMaterialError, match="opened with"):
            state.open_day(DAY, plan_digest="p", plan="plan", seal_after=timedelta(days=2))
        path.unlink()
        with pytest.raises(KeyMaterialError, match="missing"):
            list(state.read_partials(DAY))
        assert not path.exists()


def test_the_state_folder_is_this_users_alone(out: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder others can read is closed, one they can write to or that is another user's is refused."""
    folder.mkdir()
    folder.chmod(0o755)
    with open_state(out, folder, clock=clock, keys=fixed_keys):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    folder.chmod(0o777)
    refused(out, folder, "others can write")
    folder.chmod(0o700)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    refused(out, folder, "another user")


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    """A state or an OUT that cannot be made ends with exit 5 and what to do."""
    (tmp_path / "file").write_bytes(b"")
    refused(tmp_path / "out", tmp_path / "file", "is a file")
    refused(tmp_path / "file", tmp_path / "state", "is a file")
    refused(tmp_path / "file" / "out", tmp_path / "state", "is a file")


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/local ext4 rw 0 0
user@host: /mnt/with\\040space fuse.sshfs rw 0 0
//nas/x /mnt/hidden cifs rw 0 0
tmpfs /mnt/hidden tmpfs rw 0 0
C:\\134 /mnt/c 9p rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib", None),
        ("/home/a", "nfs4"),
        ("/home/local/a", None),
        ("/homely", None),
        ("/mnt/with space/x", "fuse.sshfs"),
        ("/mnt/hidden", None),
        ("/mnt/c/x", None),
    ],
)
def test_the_file_system_of_a_folder_is_found(path: str, kind: str | None) -> None:
    """The longest and latest mount point decides whether a folder is on a network."""
    assert network_type(Path(path), MOUNTS) == kind


def test_a_network_file_system_is_refused(out: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A state on a network file system is refused before anything is written to it."""
    monkeypatch.setattr(state_module, "network_type", lambda *_: "nfs4")
    refused(out, folder, "network file system")
    assert list(folder.iterdir()) == []


def test_where_the_state_is_by_default(tmp_path: Path) -> None:
    """Systemd's folder, else XDG's, else the home's, with a digest of OUT's path that its spellings share."""
    out = tmp_path / "out"
    assert default_folder(out, {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b", "XDG_STATE_HOME": "/x"}) == Path(
        "/var/lib/a"
    )
    xdg = default_folder(out, {"XDG_STATE_HOME": "/x"})
    assert (xdg.parent, len(xdg.name)) == (Path("/x/logblur"), 32)
    assert default_folder(tmp_path / "a" / ".." / "out", {"XDG_STATE_HOME": "/x"}) == xdg
    assert default_folder(tmp_path / "other", {"XDG_STATE_HOME": "/x"}) != xdg
    home = Path.home() / ".local/state/logblur" / xdg.name
    assert default_folder(out, {}) == default_folder(out, {"XDG_STATE_HOME": "relative"}) == home


def test_what_does_not_count_is_cleaned_away(out: Path, folder: Path) -> None:
    """Partials, keys, opened days and drafts that a killed run left are gone at the next opening; what counts stays."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        kept = count(state)
        later = date(2026, 3, 15)
        _, key = state.open_day(later, plan_digest="p", plan="plan", seal_after=timedelta(days=2))
        people = pa.table({"visitor": pa.array([], pa.uint64()), "client": pa.array([], pa.uint64())})
        write_partial(state.partials, Partial(later, people, {}), key, plan_digest="p", keys=fixed_keys)
        state.keys.get_or_create(date(2026, 3, 16))
    drafts = [folder / "x.tmp", folder / "keys/x.tmp", folder / "partials/x.tmp", out / "_logblur/tmp/pages.tmp"]
    for path in drafts:
        path.write_bytes(b"half")
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        assert [path.name for path in state.partials.iterdir()] == [kept]
        assert (state.keys.days(), [record.day for record in state.ledger.days()]) == ([DAY], [DAY])
    assert not any(path.exists() for path in drafts)


def sealing(out: Path, folder: Path) -> None:
    """Publish (without tables) and seal all days, as a run does."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        for record in state.ledger.days():
            state.ledger.mark_clean(record.day)
            seal_day(state.ledger, state.keys, state.partials, record.day, now=NOW)


def test_after_sealing_no_token_and_no_key_is_left(out: Path, folder: Path) -> None:
    """Key, partials and tokens of a sealed day are in no file of the state; the controls find what is there before."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        name = count(state)
        secret = (folder / "keys" / "2026-03-14.key").read_bytes()
        (partial,) = state.read_partials(DAY)
        assert partial.people["visitor"][0].as_py().to_bytes(8, "little") == TOKEN
        (folder / "partials" / "control").write_bytes(TOKEN)
        before = everything(folder)
        assert all(hidden in before for hidden in (secret, TOKEN, name.encode()))
    sealing(out, folder)
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        after = everything(folder)
        assert not any(hidden in after for hidden in (secret, TOKEN, name.encode()))
        assert list((folder / "partials").iterdir()) == list((folder / "keys").iterdir()) == []
        record = state.ledger.day(DAY)
        assert record is not None
        assert record.sealed
        with pytest.raises(ValueError, match="sealed"):
            state.open_day(DAY, plan_digest="p", plan="plan", seal_after=timedelta(days=2))
        assert (state.keys.days(), state.ledger.partials(DAY)) == ([], [])
        seal_day(state.ledger, state.keys, state.partials, DAY, now=NOW)  # again: nothing happens


def test_a_day_that_is_not_published_is_not_sealed(out: Path, folder: Path) -> None:
    """A failed publish does not seal: with something unpublished, key and partials stay."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        count(state)
        with pytest.raises(ValueError, match="not published"):
            seal_day(state.ledger, state.keys, state.partials, DAY, now=NOW)
        assert len(list(state.read_partials(DAY))) == 1


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_a_kill_at_any_step_of_a_seal_leaves_a_day_open_or_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended anywhere, the next opening finds the day open with its key and partials, or sealed without any; a rerun
    seals it.
    """
    ends = set()
    for at in range(100):
        out, folder = tmp_path / f"out{at}", tmp_path / f"state{at}"
        with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
            count(state)
        left = at

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(durable, "step", die)
            with suppress(Killed):
                sealing(out, folder)
        with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
            record = state.ledger.day(DAY)
            assert record is not None
            files = (len(state.keys.days()), len(list(state.partials.iterdir())), len(state.ledger.partials(DAY)))
            assert files == ((0, 0, 0) if record.sealed else (1, 1, 1))
            assert record.sealed or len(list(state.read_partials(DAY))) == 1
            ends.add(record.sealed)
        sealing(out, folder)
        if left >= 0:
            break
    assert (ends, at) == ({False, True}, at)
    assert 8 < at < 99


def test_a_kill_at_any_step_of_the_first_opening_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended anywhere while state and OUT begin, opening again gives the id and the OUT of an undisturbed run."""
    with open_state(tmp_path / "out", tmp_path / "state", clock=clock, keys=fixed_keys) as state:
        undisturbed = state.id
    wanted = everything(tmp_path / "out")
    for at in range(100):
        out, folder = tmp_path / f"out{at}", tmp_path / f"state{at}"
        left = at

        def die(_: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(durable, "step", die)
            with suppress(Killed), open_state(out, folder, clock=clock, keys=fixed_keys):
                pass
        with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
            assert (state.id, everything(out)) == (undisturbed, wanted)
        if left >= 0:
            break
    assert 8 < at < 99


def test_no_repr_shows_what_is_secret(out: Path, folder: Path) -> None:
    """The repr of an open state holds neither keys nor tokens."""
    with open_state(out, folder, clock=clock, keys=fixed_keys) as state:
        count(state)
        (partial,) = state.read_partials(DAY)
        text = repr(state) + repr(partial) + repr(state.ledger.days())
        for secret in folder.rglob("*.key"):
            assert secret.read_bytes().hex() not in text
            assert repr(secret.read_bytes()) not in text
        assert str(int.from_bytes(TOKEN, "little")) not in text

"""Partials: read back as written, and unreadable, whole or not at all, to anybody else."""

from __future__ import annotations

import hmac
import stat
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logblur import durable
from logblur.dataset.partials import read_partial, write_partial
from logblur.errors import OutputError
from logblur.keys import DayKey, system_keys
from logblur.schema import Partial

DAY = date(2026, 3, 14)
KEY = DayKey.derive(DAY, bytes(range(32)))
TOKEN = 0x1122334455667788


def fixed_keys(purpose: str, size: int) -> bytes:
    """Give the same bytes for the same purpose."""
    return hmac.digest(b"test", purpose.encode(), "sha512")[:size]


def partial(paths: list[str]) -> Partial:
    """Return a partial whose pages have these paths."""
    people = pa.table({"visitor": pa.array([TOKEN, 2], pa.uint64()), "client": pa.array([3, 4], pa.uint64())})
    pages = pa.table(
        {
            "site": pa.array(["www.example.com"] * len(paths)),
            "path": pa.array(paths, pa.string()),
            "requests": pa.array(range(len(paths)), pa.int64()),
            "bytes": pa.array(range(len(paths)), pa.int64()),
            "people": pa.array([[0, 1]] * len(paths), pa.list_(pa.uint32())),
        }
    )
    hours = pa.table({"hour": pa.array([None], pa.int8()), "agent": pa.array(["bot"]).dictionary_encode()})
    return Partial(DAY, people, {"pages": pages, "traffic": hours})


def equal(one: Partial, two: Partial) -> bool:
    """Say whether two partials are the same."""
    same = all(one.tables[name].equals(two.tables[name]) for name in one.tables)
    return one.day == two.day and one.people.equals(two.people) and list(one.tables) == list(two.tables) and same


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(paths=st.lists(st.text(), max_size=5))
def test_what_is_read_is_what_was_written(tmp_path: Path, paths: list[str]) -> None:
    """Any partial comes back equal, types, order and names of its tables included."""
    file = write_partial(tmp_path, partial(paths), KEY, plan_digest="p", keys=system_keys)
    assert equal(read_partial(tmp_path / file.name, KEY, plan_digest="p"), partial(paths))
    assert (file.day, file.size) == (DAY, (tmp_path / file.name).stat().st_size)


def test_no_tables_and_no_rows(tmp_path: Path) -> None:
    """A partial without tables, and one without people, come back too."""
    empty = Partial(DAY, partial([]).people.slice(0, 0), {})
    file = write_partial(tmp_path, empty, KEY, plan_digest="p", keys=system_keys)
    assert equal(read_partial(tmp_path / file.name, KEY, plan_digest="p"), empty)


def test_the_file_is_private_and_says_nothing(tmp_path: Path) -> None:
    """0600, no draft left, and neither a path nor a token nor the plan can be read out of it."""
    file = write_partial(tmp_path, partial(["/secret/page"] * 9), KEY, plan_digest="plan-digest", keys=system_keys)
    (path,) = tmp_path.iterdir()
    data = path.read_bytes()
    assert (path.name, stat.S_IMODE(path.stat().st_mode)) == (file.name, 0o600)
    for hidden in (b"secret", b"example", TOKEN.to_bytes(8, "little"), b"plan-digest", b"visitor"):
        assert hidden not in data


def test_two_writes_share_no_nonce(tmp_path: Path) -> None:
    """Equal partials give files that differ, even under a key source that repeats itself."""
    files = [write_partial(tmp_path, partial(["/"]), KEY, plan_digest="p", keys=fixed_keys) for _ in range(2)]
    nonces = {(tmp_path / file.name).read_bytes()[18:30] for file in files}
    assert len(nonces) == 2


def test_any_byte_that_changed_is_noticed(tmp_path: Path) -> None:
    """Flipping any one byte of the file, cutting it or adding to it is an error that names the file."""
    file = write_partial(tmp_path, partial(["/"]), KEY, plan_digest="p", keys=system_keys)
    path = tmp_path / file.name
    data = path.read_bytes()
    assert len(data) > 1000
    hurt = [data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :] for i in range(len(data))]
    hurt += [data[:cut] for cut in (0, 5, 18, 25, 30, 40, len(data) - 1)] + [data + b"\0"]
    for content in hurt:
        path.write_bytes(content)
        with pytest.raises(OutputError, match=file.name):
            read_partial(path, KEY, plan_digest="p")
    path.write_bytes(data)
    assert equal(read_partial(path, KEY, plan_digest="p"), partial(["/"]))


def test_a_partial_belongs_to_its_name_day_plan_and_key(tmp_path: Path) -> None:
    """Renamed, or read under another day, plan or key, an unchanged file is refused."""
    file = write_partial(tmp_path, partial(["/"]), KEY, plan_digest="p", keys=system_keys)
    path = tmp_path / file.name
    other_day = DayKey(date(2026, 3, 15), KEY.id, KEY.token_key, KEY.partial_key)
    renamed = tmp_path / "renamed.partial"
    renamed.write_bytes(path.read_bytes())
    tries = [
        (renamed, KEY, "p"),
        (path, KEY, "q"),
        (path, other_day, "p"),
        (path, DayKey.derive(DAY, b"x" * 32), "p"),
        (tmp_path / "none.partial", KEY, "p"),
    ]
    for where, key, plan in tries:
        with pytest.raises(OutputError):
            read_partial(where, key, plan_digest=plan)


def test_a_partial_of_another_day_is_not_written(tmp_path: Path) -> None:
    """Encrypting under another day's key is a bug and refused: that key dies at another time."""
    with pytest.raises(ValueError, match="own day"):
        write_partial(
            tmp_path, partial([]), DayKey.derive(date(2026, 1, 1), b"x" * 32), plan_digest="p", keys=fixed_keys
        )
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses to write, the error says so and no draft stays."""

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "step", full)
    with pytest.raises(OutputError, match="no space"):
        write_partial(tmp_path, partial(["/"]), KEY, plan_digest="p", keys=system_keys)
    assert list(tmp_path.iterdir()) == []

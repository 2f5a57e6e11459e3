"""Day keys: private, trusted only as they were written, and gone when destroyed."""

from __future__ import annotations

import hmac
import os
import stat
from datetime import date
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from logblur import durable
from logblur.errors import KeyMaterialError, OutputError
from logblur.keys import DayKey, DayKeys, system_keys

DAY = date(2026, 3, 14)


def fixed_keys(purpose: str, size: int) -> bytes:
    """Give the same bytes for the same purpose."""
    return hmac.digest(b"test", purpose.encode(), "sha512")[:size]


@pytest.fixture
def keys(tmp_path: Path) -> DayKeys:
    """Give an empty folder of keys."""
    return DayKeys(tmp_path, fixed_keys)


def test_the_same_day_keeps_its_key(keys: DayKeys) -> None:
    """A key is made once; whoever asks again gets the same."""
    assert keys.get_or_create(DAY) == keys.get_or_create(DAY) == keys.get(DAY)
    assert keys.days() == [DAY]


def test_days_and_uses_share_nothing(keys: DayKeys) -> None:
    """Two days, and the uses of one day, have keys and ids of their own, of the promised sizes."""
    one, two = keys.get_or_create(DAY), keys.get_or_create(date(2026, 3, 15))
    assert (len(one.token_key), len(one.partial_key), len(one.id)) == (16, 32, 16)
    parts = [one.token_key, one.partial_key[:16], one.partial_key[16:], two.token_key, two.partial_key[:16]]
    assert len(set(parts)) == len(parts)
    assert one.id != two.id
    assert bytes.fromhex(one.id) not in one.token_key + one.partial_key


def test_keys_are_hkdf_of_the_file(keys: DayKeys, tmp_path: Path) -> None:
    """What `cryptography` derives from the bytes on disk is the key in use."""
    key = keys.get_or_create(DAY)
    secret = (tmp_path / "2026-03-14.key").read_bytes()
    assert HKDF(SHA256(), 16, None, b"logblur 1 tokens 2026-03-14").derive(secret) == key.token_key


def test_the_file_is_private_and_alone(keys: DayKeys, tmp_path: Path) -> None:
    """A key is one file of 32 bytes that its owner alone can read, whatever the umask, and no draft is left."""
    before = os.umask(0)
    try:
        keys.get_or_create(DAY)
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_size) == (0o600, 32)


def test_workers_that_meet_a_day_at_once_get_one_key(tmp_path: Path) -> None:
    """Threads that ask for a new day together all get the key that is on disk."""
    keys, got = DayKeys(tmp_path, system_keys), []
    threads = [Thread(target=lambda: got.append(keys.get_or_create(DAY).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(got) == {keys.get(DAY).id}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(keys: DayKeys, tmp_path: Path, mode: int) -> None:
    """A key open to group or others may be known to them and is not used."""
    keys.get_or_create(DAY)
    (tmp_path / "2026-03-14.key").chmod(mode)
    with pytest.raises(KeyMaterialError, match="others can read"):
        keys.get_or_create(DAY)


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33, bytes(32)], ids=["empty", "short", "long", "zeros"])
def test_a_key_of_wrong_size_or_half_destroyed_is_refused(keys: DayKeys, tmp_path: Path, content: bytes) -> None:
    """Neither a cut key nor the zeros of a destruction cut short become anybody's key."""
    path = tmp_path / "2026-03-14.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyMaterialError):
        keys.get(DAY)


def test_a_key_of_someone_else_or_no_plain_file_is_refused(
    keys: DayKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link, a pipe, a missing file and a file of another user are no keys."""
    path = tmp_path / "2026-03-14.key"
    with pytest.raises(KeyMaterialError, match="missing"):
        keys.get(DAY)
    path.symlink_to("/dev/zero")
    with pytest.raises(KeyMaterialError, match="cannot be read"):
        keys.get(DAY)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyMaterialError, match="no plain file"):
        keys.get(DAY)
    path.unlink()
    keys.get_or_create(DAY)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(KeyMaterialError, match="another user"):
        keys.get(DAY)


def test_a_key_source_that_gives_too_little_is_refused(tmp_path: Path) -> None:
    """A short secret is refused before it is written."""
    with pytest.raises(KeyMaterialError, match="instead of 32"):
        DayKeys(tmp_path, lambda _, size: b"x" * (size - 1)).get_or_create(DAY)
    assert list(tmp_path.iterdir()) == []


def test_destroying_overwrites_then_removes(keys: DayKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are zeros on disk before the name goes; a second time nothing happens; other days stay."""
    keys.get_or_create(DAY)
    other = keys.get_or_create(date(2026, 3, 15))
    path = tmp_path / "2026-03-14.key"
    seen: list[bytes] = []
    monkeypatch.setattr(durable, "step", lambda _: seen.append(path.read_bytes()))
    keys.destroy(DAY)
    keys.destroy(DAY)
    assert (seen, path.exists(), keys.get(other.day)) == ([bytes(32)], False, other)


def test_a_kill_within_destroying_leaves_no_key(keys: DayKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after overwriting, the file is refused as a key, and destroying again finishes."""

    def die(_: str) -> None:
        raise KeyboardInterrupt

    keys.get_or_create(DAY)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "step", die)
        with pytest.raises(KeyboardInterrupt):
            keys.destroy(DAY)
    with pytest.raises(KeyMaterialError, match="being destroyed"):
        keys.get_or_create(DAY)
    keys.destroy(DAY)
    assert list(tmp_path.iterdir()) == []


def test_no_text_shows_a_key(keys: DayKeys, tmp_path: Path) -> None:
    """Neither the repr of a key nor an error about it holds its bytes, raw or in hex."""
    key = keys.get_or_create(DAY)
    path = tmp_path / "2026-03-14.key"
    secret = path.read_bytes()
    path.chmod(0o644)
    with pytest.raises(KeyMaterialError) as caught:
        keys.get(DAY)
    for text in (repr(key), str(key), repr(keys), str(caught.value), repr(caught.value)):
        for hidden in (secret, key.token_key, key.partial_key):
            assert not any(form in text for form in (hidden.hex(), repr(hidden)[2:-1], hidden.decode("latin-1")))
    assert key.token_key.hex() in repr(DayKey(DAY, key.token_key.hex(), b"", b""))  # the search finds what is there


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    """A key folder that is missing ends with an error that names the path, not with a traceback of the system's."""
    with pytest.raises(OutputError, match="missing"):
        DayKeys(tmp_path / "none", fixed_keys).get_or_create(DAY)

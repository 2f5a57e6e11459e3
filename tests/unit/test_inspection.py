"""What `inspect` says of the personal data in a log: fields and kinds with counts, never a value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from logblur.cli import main
from logblur.inspection import Held, inspect
from logblur.schema import Category

LINE = '%s - %s [17/May/2026:10:05:03 +0000] "GET %s HTTP/1.1" 200 5 "%s" "Mozilla/5.0 Chrome/120.0.0.0"\n'
SECRETS = ("anna.secret", "192.0.2.77", "+371 2612", "secretuser")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three lines with an e-mail address, a phone number and a user name."""
    path = tmp_path / "access.log"
    path.write_text(
        LINE % ("192.0.2.77", "-", "/a?mail=anna.secret%40example.org", "-")
        + LINE % ("192.0.2.77", "secretuser", "/call/+371%2026123456", "https://example.org/anna.secret@example.org")
        + LINE % ("-", "-", "/", "-")
    )
    return path


def test_what_a_log_holds_is_counted_by_field_and_kind(log: Path) -> None:
    """Each field that has a value, and each kind found inside text, with the lines that hold it."""
    held = {(h.field, h.kind): h for h in inspect(str(log)).held}
    assert held["query", "email"] == Held(Category.CONTACT, "query", "email", 1)
    assert held["referer", "email"].lines == 1
    assert held["path", "phone"] == Held(Category.CONTACT, "path", "phone", 1)
    assert held["remote_user", ""] == Held(Category.MASTER, "remote_user", "", 1)
    assert held["remote_addr", ""].lines == 2
    assert held["user_agent", ""].lines == 3
    assert ("user_agent", "ip") not in held  # a version


def test_no_value_is_told(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither the words nor the JSON hold anything of a line."""
    assert main(["inspect", str(log)]) == 0
    assert main(["inspect", str(log), "--json"]) == 0
    out = capsys.readouterr().out
    assert json.loads(out.splitlines()[-1])["held"]
    assert not [secret for secret in SECRETS if secret in out]


def test_a_sample_shows_shapes_and_no_value(log: Path) -> None:
    """The columns of a line as they are read, every letter and digit masked; the JSON has none."""
    found = inspect(str(log))
    assert found.sample["remote_addr"] == "999.9.9.99"
    assert found.sample["query"] == "xxxx=xxxx.xxxxxx%99xxxxxxx.xxx"
    assert found.sample["time"].startswith("9999-99-99")
    assert "sample" not in found.to_json()
    assert not any(secret in repr(found.sample) for secret in SECRETS)

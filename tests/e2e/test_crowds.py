"""Who is counted, through the front door: crowds of one client, days that one client makes, logs that come late."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests import oracle

import logblur

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:%d.0) Gecko/20100101 Firefox/%d.0"


def line(address: str, path: str, *, version: int = 140, size: int = 512, time: datetime = NOON) -> str:
    """A page view."""
    return f'{address} - - [{oracle.clf(time).decode()}] "GET {path} HTTP/1.1" 200 {size} "-" "{AGENT}"\n' % (
        version,
        version,
    )


def published(folder: Path, *logs: str, now: datetime = NOON + timedelta(hours=1)) -> dict[tuple[str, str], list]:
    """Count these logs, one call each, and return what is published then."""
    for number, text in enumerate(logs):
        (folder / f"log{number}").write_text(text)
        logblur.run(folder / f"log{number}", folder / "out", state=folder / "state", clock=lambda: now)
    return oracle.published(folder / "out")


CROWDS = {
    "a host of a thousand agents": [("198.51.100.9", n) for n in range(1000)],
    "a home of a thousand addresses": [(f"2001:db8:0:1{n % 256:02x}::{n:x}", 140) for n in range(1000)],
    "one address in other spellings": [(a, 140) for a in ("198.51.100.9", "::ffff:198.51.100.9", "::FFFF:c633:6409")],
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_a_crowd_of_one_client_unlocks_nothing(crowd: str, tmp_path: Path) -> None:
    """Whatever one client calls itself, what it alone asked for is in no row, with eight others that did too."""
    others = "".join(line(f"192.0.2.{n}", "/open") for n in range(20))
    few = "".join(line(f"192.0.2.{n}", "/hidden") for n in range(8))
    alone = "".join(line(address, "/hidden", version=agent) for address, agent in CROWDS[crowd])
    rows = published(tmp_path, others + few + alone)["pages", "2026-05-17"]
    assert "/hidden" not in {row["path"] for row in rows}
    (tmp_path / "control").mkdir()
    two_more = "".join(line(f"203.0.113.{n}", "/hidden") for n in range(2))
    rows = published(tmp_path / "control", others + few * 300 + alone + two_more)["pages", "2026-05-17"]
    assert "/hidden" in {row["path"] for row in rows}


def test_a_home_is_a_56(tmp_path: Path) -> None:
    """The control of the home: ten networks of 56 bits are ten clients."""
    homes = "".join(line(f"2001:db8:0:{n:x}00::1", "/hidden") for n in range(1, 11))
    assert [row["path"] for row in published(tmp_path, homes)["pages", "2026-05-17"]] == ["/hidden"]


def test_a_day_that_one_client_makes_has_no_rows(tmp_path: Path) -> None:
    """Twenty clients read a page, and one takes most of the bytes: the manifest says that the day is withheld."""
    crowd = "".join(line(f"192.0.2.{n}", "/") for n in range(20))
    large = line("192.0.2.1", "/film", size=512 * 81)
    assert published(tmp_path, crowd + large)["pages", "2026-05-17"] == []
    entry = json.loads((tmp_path / "out" / "_logblur" / "manifest.json").read_text())["days"]["2026-05-17"]
    assert entry["tables"]["pages"]["withheld"] is True
    assert entry["tables"]["pages"]["rows"] == entry["tables"]["pages"]["rolled_up"] == 0
    (tmp_path / "control").mkdir()
    large = line("192.0.2.1", "/film", size=512 * 75)
    assert len(published(tmp_path / "control", crowd + large)["pages", "2026-05-17"]) == 1


def test_old_logs_are_counted_over_several_calls(tmp_path: Path) -> None:
    """A day opens when its first line comes, however old it is, and stays open for what comes next of it."""
    old = NOON - timedelta(days=400)
    parts = ["".join(line(f"192.0.2.{n}", "/", time=old) for n in range(at, at + 4)) for at in (0, 4, 8)]
    assert published(tmp_path, *parts)["pages", "2025-04-12"][0]["visitors"] == 12
    assert published(tmp_path, *parts, "# more\n" + line("192.0.2.99", "/", time=old))["pages", "2025-04-12"] == [
        {"site": "(none)", "path": "/", "requests": 13, "visitors": 13, "bytes": 13 * 512}
    ]
    due = NOON + timedelta(days=2, hours=1)
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")}
    (tmp_path / "late").write_text(line("192.0.2.50", "/", time=old) + parts[0] * 3)
    summary = logblur.run(tmp_path / "late", tmp_path / "out", state=tmp_path / "state", clock=lambda: due)
    assert summary.late == 13
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*.parquet")} == before
    entry = json.loads((tmp_path / "out" / "_logblur" / "manifest.json").read_text())["days"]["2025-04-12"]
    assert (entry["late"], entry["sealed"]) == (20, True)


def test_published_once(tmp_path: Path) -> None:
    """Under a policy that publishes sealed days alone, no table is there before a day is sealed."""
    policy = logblur.load_policy("audience")
    policy = policy.model_copy(update={"visitor": policy.visitor.model_copy(update={"publish": "sealed"})})
    log = tmp_path / "log"
    log.write_text("".join(line(f"192.0.2.{n}", "/") for n in range(20)))

    def run(now: datetime) -> dict[tuple[str, str], list]:
        logblur.run(log, tmp_path / "out", state=tmp_path / "state", policy=policy, clock=lambda: now)
        return oracle.published(tmp_path / "out")

    assert run(NOON) == run(NOON + timedelta(days=1)) == {}
    tables = run(NOON + timedelta(days=4))
    assert tables["pages", "2026-05-17"][0]["visitors"] == 20
    log.write_text(log.read_text() + line("192.0.2.77", "/"))
    assert run(NOON + timedelta(days=5)) == tables

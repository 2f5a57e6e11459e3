"""Counting by weeks: one key, one file and one count of visitors for each ISO week."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import oracle

import logblur
from logblur.cli import main
from logblur.errors import PolicyError
from logblur.periods import Period
from logblur.pipeline import purge, seal
from logblur.policy import Policy, load_policy
from logblur.policy.model import Duration
from logblur.privacy.audit import audit
from logblur.privacy.report import Verdict

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW_YEAR = datetime(2026, 1, 1, 12, tzinfo=UTC)  # a Thursday of week 1, which began in 2025


@pytest.fixture
def weekly() -> Policy:
    """The default policy, by weeks."""
    return load_policy("audience").model_copy(update={"period": Period.WEEK})


def write_log(path: Path, *moments: datetime, clients: range = range(12)) -> Path:
    """Write a page view of each of these clients at each of these moments."""
    line = '192.0.2.%d - - [%s] "GET / HTTP/1.1" 200 5 "-" "%s"\n'
    path.write_text("".join(line % (n, oracle.clf(moment).decode(), AGENT) for moment in moments for n in clients))
    return path


@given(st.dates(date(1, 1, 8), date(9999, 12, 20)))
def test_weeks_are_those_of_the_standard_library(day: date) -> None:
    """A week is named as ISO 8601 does, begins on its Monday and ends before the next."""
    first = Period.WEEK.first(day)
    assert datetime.strptime(f"{Period.WEEK.label(first)}-1", "%G-W%V-%u").date() == first
    assert first <= day < Period.WEEK.after(first) == first + timedelta(7)
    assert Period.WEEK.first(first) == first
    assert (Period.DAY.first(day), Period.DAY.label(day)) == (day, day.isoformat())
    assert Period.of_folder(Period.WEEK.folder(first)) == (Period.WEEK, first)
    assert Period.of_folder(Period.DAY.folder(day)) == (Period.DAY, day)


@pytest.mark.parametrize("name", ["", "date=", "week=2026-W54", "week=2026-W00", "date=2026-W01", "day=2026-01-01"])
def test_other_folders_are_no_periods(name: str) -> None:
    """What is no name of a day or a week is refused."""
    with pytest.raises(ValueError):
        Period.of_folder(name)


def test_a_week_is_counted_as_one(weekly: Policy, tmp_path: Path) -> None:
    """Six clients on Wednesday and six others on Friday, across New Year, are twelve of one week, in two runs."""
    log = write_log(tmp_path / "1", NEW_YEAR - timedelta(1), clients=range(6))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state", policy=weekly, clock=lambda: NEW_YEAR)
    log = write_log(tmp_path / "2", NEW_YEAR + timedelta(1), clients=range(6, 12))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state", policy=weekly, clock=lambda: NEW_YEAR + timedelta(2))
    files = sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").glob("pages/**/*.parquet"))
    assert files == [Path("pages/week=2026-W01/pages.parquet")]
    (row,) = oracle.published(tmp_path / "out")["pages", "week=2026-W01"]
    assert (row["requests"], row["visitors"]) == (12, 12)
    assert [path.name for path in (tmp_path / "state" / "keys").iterdir()] == ["2025-12-29.key"]
    (name,) = json.loads((tmp_path / "out" / "_logblur" / "manifest.json").read_text())["days"]
    assert name == "2026-W01"


def test_a_visitor_of_two_days_is_one(weekly: Policy, tmp_path: Path) -> None:
    """Whoever comes on two days of a week is one visitor of it, and another in the next week."""
    log = write_log(tmp_path / "log", NEW_YEAR, NEW_YEAR + timedelta(1), NEW_YEAR + timedelta(4))
    logblur.run(log, tmp_path / "out", state=tmp_path / "state", policy=weekly, clock=lambda: NEW_YEAR + timedelta(5))
    found = oracle.published(tmp_path / "out")
    assert [found["pages", f"week=2026-W0{n}"][0]["visitors"] for n in (1, 2)] == [12, 12]
    assert [found["pages", f"week=2026-W0{n}"][0]["requests"] for n in (1, 2)] == [24, 12]


def test_a_week_is_sealed_as_one(weekly: Policy, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A week is due two days past its Sunday; any of its days will do; later lines are late."""
    out, state = tmp_path / "out", tmp_path / "state"
    logblur.run(write_log(tmp_path / "1", NEW_YEAR), out, state=state, policy=weekly, clock=lambda: NEW_YEAR)
    end = datetime(2026, 1, 6, 22, tzinfo=UTC)  # midnight in Riga
    assert seal(out, state=state, clock=lambda: end - timedelta(seconds=1)) == ()
    assert main(["seal", "-o", str(out), "--state", str(state), "--day", "2026-01-04"]) == 0
    assert capsys.readouterr().err == "logblur: 2025-12-29 is sealed\n"
    assert list((state / "keys").iterdir()) == []
    log = write_log(tmp_path / "2", NEW_YEAR + timedelta(1))
    summary = logblur.run(log, out, state=state, policy=weekly, clock=lambda: end)
    assert summary.late == 12
    (entry,) = json.loads((out / "_logblur" / "manifest.json").read_text())["days"].values()
    assert (entry["late"], entry["sealed"]) == (20, True)


def test_a_due_week_is_sealed(weekly: Policy, tmp_path: Path) -> None:
    """Two days past its last day, in the zone of the policy, a week is sealed by what comes next."""
    out, state = tmp_path / "out", tmp_path / "state"
    logblur.run(write_log(tmp_path / "1", NEW_YEAR), out, state=state, policy=weekly, clock=lambda: NEW_YEAR)
    assert seal(out, state=state, clock=lambda: datetime(2026, 1, 6, 22, tzinfo=UTC)) == (date(2025, 12, 29),)


def test_days_and_weeks_are_not_mixed(weekly: Policy, tmp_path: Path) -> None:
    """An OUT that counts by days goes on so; weeks take a new one, and the other way round."""
    for first, second, says in ((load_policy("audience"), weekly, "day"), (weekly, load_policy("audience"), "week")):
        out, state = tmp_path / says, tmp_path / f"{says}-state"
        log = write_log(tmp_path / "log", NEW_YEAR)
        logblur.run(log, out, state=state, policy=first, clock=lambda: NEW_YEAR)
        with pytest.raises(PolicyError, match=f"period: this state counts by {says}; write that, or start a new OUT"):
            logblur.run(log, out, state=state, policy=second, clock=lambda: NEW_YEAR)


def test_single_lines_keep_their_day(weekly: Policy, tmp_path: Path) -> None:
    """Records say the day of each line, whatever the tables count by."""
    log = write_log(tmp_path / "log", NEW_YEAR, clients=range(1))
    assert logblur.scan(log, policy=weekly).collect()["date"].to_list() == [date(2026, 1, 1)]


def test_a_week_past_its_retention_goes(weekly: Policy, tmp_path: Path) -> None:
    """A week is kept for the retention from its end on, then its files, its key and its entry are gone."""
    out, state = tmp_path / "out", tmp_path / "state"
    short = weekly.model_copy(update={"retention": Duration(10, "day")})
    logblur.run(write_log(tmp_path / "1", NEW_YEAR), out, state=state, policy=short, clock=lambda: NEW_YEAR)
    purge(out, state=state, clock=lambda: datetime(2026, 1, 14, 12, tzinfo=UTC))
    assert len(list(out.glob("*/week=2026-W01/*.parquet"))) == 9
    purge(out, state=state, clock=lambda: datetime(2026, 1, 15, 12, tzinfo=UTC))
    assert list(out.rglob("*.parquet")) == list((state / "keys").iterdir()) == []
    assert json.loads((out / "_logblur" / "manifest.json").read_text())["purged"] == ["2026-W01"]


def test_an_audit_knows_weeks(weekly: Policy, tmp_path: Path) -> None:
    """An audit holds weeks against policy and state as it does days."""
    out, state = tmp_path / "out", tmp_path / "state"
    logblur.run(write_log(tmp_path / "1", datetime.now(UTC)), out, state=state, policy=weekly)
    report = audit(out, policy=weekly, promised=True, state=state)
    found = {result.name: result.verdict for result in report.results}
    assert dict.fromkeys(("thresholds", "subtraction", "contract", "state"), Verdict.PASSED).items() <= found.items()
    assert Verdict.FAILED not in found.values()

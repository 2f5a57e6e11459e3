"""`policy diff`: what changes for people. `policy simulate`: what a run would publish, without one."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from tests.property.strategies import policies

import logblur
from logblur.cli import main
from logblur.policy import Policy, load_policy
from logblur.policy.diff import SUBJECTS, TOLD, Change, diff
from logblur.policy.explain import MEANS
from logblur.policy.load import builtin_text, decode
from logblur.policy.resolve import resolve
from logblur.policy.rules import Fields, rules_of
from logblur.simulation import simulate

AUDIENCE = builtin_text("audience")


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("ipv4_prefix = 16", "ipv4_prefix = 24", Change("addresses", "/16", "/24", "more")),
        ("ipv6_prefix = 32", "ipv6_prefix = 24", Change("addresses (IPv6)", "/32", "/24", "less")),
        ('"25 months"', '"2 years"', Change("kept for", "25 months", "2 years", "less")),
        (
            "[input]",
            "[input]\ndelete_logs = true",
            Change("raw logs are", "kept", "deleted when they are counted and their days sealed", "less"),
        ),
        ('seal_after = "2 days"', 'seal_after = "1 week"', Change("keys of a day live", "2 days", "1 week", "more")),
        ('"legitimate-interests"', '"contract"', Change("legal basis", "legitimate-interests", "contract", "other")),
        ("[input]", "recipients = []\n[input]", Change("recipients", "(not said)", "none", "other")),
        ("[input]", 'recipients = ["a"]\n[input]', Change("recipients", "(not said)", "a", "more")),
        ("[input]", "[controller]\nname = 'b'\n[input]", Change("controller, name", "(not said)", "b", "other")),
        (
            'publish = "open"', 'publish = "sealed"',
            Change("a day is published", "with every run until it is sealed", "once", "less"),
        ),
        ('by = ["bot_class", "bot"]', 'by = ["bot"]', Change("table bots, by", "bot_class, bot", "bot", "less")),
        (
            "min_clients = 10", "min_clients = 10\nmax_client_share = 0.5",
            Change("table traffic, share of one client", "0.8", "0.5", "less"),
        ),
        (
            '{ method = "family" }', '{ method = "family", purpose = "repair" }',
            Change("browsers and devices, purpose", "audience measurement", "repair", "other"),
        ),
        (
            'where = "referral"', 'where = "download"',
            Change("table referrers counts", MEANS["referral"], MEANS["download"], "other"),
        ),
    ],
)  # fmt: skip
def test_a_change_is_said_in_terms_of_people(old: str, new: str, change: Change) -> None:
    """One key changed is one change, said as people would; the way back turns it round."""
    assert old in AUDIENCE
    other = decode(AUDIENCE.replace(old, new, 1).encode())
    assert diff(load_policy("audience"), other) == (change,)
    (back,) = diff(other, load_policy("audience"))
    assert (back.subject, back.before, back.after) == (change.subject, change.after, change.before)
    turned = {"more": {"less"}, "less": {"more"}, "other": {"other"}}[change.effect]
    assert back.effect in turned | ({"other"} if change.subject == "recipients" else set())


def test_tables_come_and_go() -> None:
    """A table that only one of two policies has is published to more people, or to none."""
    changes = diff(load_policy("audience"), load_policy("strict"))
    assert any(c.subject == "table networks" and c.after == "not published" and c.effect == "less" for c in changes)
    assert not [c for c in changes if c.effect == "more"]  # strict tells less in every way
    assert {c.effect for c in diff(load_policy("strict"), load_policy("audience"))} <= {"more", "other"}


@given(policies(), policies())
def test_whatever_is_published_otherwise_is_said(one: Policy, two: Policy) -> None:
    """Two policies that treat lines differently have changes; a policy and itself have none."""
    assert diff(one, one) == ()
    if resolve(one).digest != resolve(two).digest:
        assert diff(one, two)


def test_every_field_and_method_has_words() -> None:
    """Each field that a policy can name has a subject, each method a place among the others."""
    assert set(SUBJECTS) == set(Fields.model_fields)
    assert {method for name in Fields.model_fields for method in rules_of(name)} == set(TOLD)


def test_diff_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lines begin with + or - for more or less; equal policies say so; a policy that is none is a usage error."""
    assert main(["policy", "diff", "audience", "strict"]) == 0
    out = capsys.readouterr().out
    assert "- kept for: 25 months -> 13 months\n" in out
    assert main(["policy", "diff", "strict", "strict"]) == 0
    assert "nothing changes" in capsys.readouterr().err
    assert main(["policy", "diff", "strict", str(tmp_path / "none.toml")]) == 2


# Simulate


@pytest.mark.parametrize("name", ["audience", "strict"])
def test_a_simulation_says_what_a_run_publishes(
    name: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows, requests and what is rolled up are those of a run whose days are sealed; nothing is left behind."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", os.fspath(scratch))
    found = simulate([os.fspath(project / "sample_logs")], policy=load_policy(name))
    assert list(scratch.iterdir()) == []
    policy = load_policy(name)
    opened = policy.model_copy(update={"visitor": policy.visitor.model_copy(update={"publish": "open"})})
    summary = logblur.run(project / "sample_logs", tmp_path / "out", policy=opened, state=tmp_path / "state")
    assert {table: (t.rows, t.days, t.requests, t.rolled_up) for table, t in found.tables.items()} == {
        table: (t.rows, t.days, t.requests, t.rolled_up) for table, t in summary.tables.items()
    }
    assert found.tables["traffic"].requests == summary.rows


def test_simulate_on_the_command_line(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table goes to stdout; a missing log is an input error, a policy without tables a policy error."""
    monkeypatch.chdir(tmp_path)
    assert main(["policy", "simulate", os.fspath(project / "sample_logs" / "combined.log"), "-p", "audience"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("table")
    assert "\nnetworks " in out
    assert "nothing was written" in err
    assert list(tmp_path.iterdir()) == []
    assert main(["policy", "simulate", "none.log"]) == 4
    assert main(["policy", "simulate", os.fspath(project / "sample_logs"), "-p", "records"]) == 2

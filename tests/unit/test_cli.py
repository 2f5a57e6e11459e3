"""The command line's own parts: endings, words, the summary. What the commands call has tests of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logblur import errors, stopping
from logblur.cli import main
from logblur.cli.ending import ended
from logblur.cli.run import summary_lines
from logblur.cli.words import printable, say
from logblur.periods import Period
from logblur.policy import load_policy
from logblur.summary import Removed

SECRET = "192.0.2.77 secret"


def ending(error: BaseException) -> int:
    """Return the exit code of a command that raises this."""

    @click.command()
    def fail() -> None:
        raise error

    return ended(fail, [])


KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.LogblurError]


@pytest.mark.parametrize("kind", KINDS)
def test_each_error_has_its_exit_code_and_one_line(kind: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """An error of logblur ends with its own exit code and one line on stderr."""
    assert ending(kind("the disk is full; make room")) == kind.exit_code > 1
    assert capsys.readouterr() == ("", "logblur: the disk is full; make room\n")


@pytest.mark.parametrize(
    "error", [ValueError(SECRET), KeyError(SECRET), UnicodeDecodeError("utf-8", b"x", 0, 1, SECRET)]
)
def test_a_bug_tells_its_type_and_place_never_its_message(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """An unexpected exception ends with 1; its message, which may hold bytes of a log, is told nowhere."""
    assert ending(error) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"logblur: this is a bug of logblur: {type(error).__name__} at cli/ending.py:")
    assert err.count("\n") == 1
    assert "secret" not in err
    assert "192" not in err


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_a_command_where_it_looks(
    number: int, code: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is raised where the signal comes, only at the next look; afterwards all is as it was before."""
    before, seen = signal.getsignal(number), []

    @click.command()
    def work() -> None:
        os.kill(os.getpid(), number)
        seen.append("goes on")
        for _ in range(500):
            time.sleep(0.01)
            try:
                stopping.check()
            except Exception:  # what a careless library does
                pytest.fail("the signal looked like a failure")

    assert ended(work, []) == code
    assert seen == ["goes on"]
    assert signal.getsignal(number) is before
    stopping.check()
    assert capsys.readouterr().err == f"logblur: {word}\n"


DEAF = {
    "swallows": "while True:\n  try: time.sleep(60)\n  except BaseException: pass",
    "is within a library": "hashlib.pbkdf2_hmac('sha256', b'', b'', 1 << 30)",
}


@pytest.mark.parametrize("how", DEAF)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_command_that_does_not_look_is_ended(how: str, number: int, code: int) -> None:
    """What never looks whether a signal came, or runs no handler, ends soon after it all the same, with one word."""
    body = "".join(f"  {line}\n" for line in ["print('ready', flush=True)", *DEAF[how].split("\n")])
    program = "import click, hashlib, sys, time\nfrom logblur.cli.ending import ended\n"
    program += f"@click.command()\ndef work():\n{body}sys.exit(ended(work, []))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        _, said = process.communicate(timeout=10)
    assert process.returncode == code
    assert said in (b"logblur: interrupted\n", b"logblur: terminated\n")


def test_words_cannot_command_a_terminal() -> None:
    """Escape sequences, changes of writing direction and bytes that are no text become visible."""
    assert printable("a\x1b[2Jb\n") == r"a\x1b[2Jb\x0a"
    assert printable("\u202egnp.exe") == r"\u202egnp.exe"
    assert printable(os.fsdecode(b"\xff.log")) == r"\xff.log"
    assert printable("\U000e0041") == r"\U000e0041"
    assert printable("ē žurnāls") == "ē žurnāls"


@given(st.text())
def test_words_are_one_line_of_what_can_be_seen(text: str) -> None:
    """Whatever a file is called, what is printed of it is one line of visible characters."""
    assert printable(text).isprintable()


def summary(**changes: Any) -> Any:
    """Return the summary of a run, with some facts changed."""
    facts = {
        "lines": 1_000_000, "rows": 999_990, "rejects": {"bad time": 7, "trailing": 3}, "directives": 0,
        "nulled": {"remote_addr": 4, "host": 2, "asn": 9}, "late": 0, "waiting": 1, "bytes_read": 240_000_000,
        "seconds": 1.5, "formats": {"combined": 2},
        "tables": {"pages": SimpleNamespace(days=2, rows=120, requests=5000, rolled_up=250)}, "logs": 3,
        "period": Period.DAY, "logs_known": 1, "removed": Removed(), "errors": (),
    }  # fmt: skip
    return SimpleNamespace(**facts | changes)


def test_the_summary_tells_what_was_done_and_what_was_refused() -> None:
    """The summary has lines, rejects by reason, rows by table, the share rolled up, time and speed."""
    text = "\n".join(summary_lines(summary()))
    for fact in ("1,000,000 lines", "1.50 s", "160 MB/s", "3 logs, 1 with nothing new", "bad time (7)", "trailing (3)",
                 "combined (2)", "table pages: 120 rows in 2 days, 5,000 requests, 5.0% rolled up",
                 "4 lines whose client is no address", "2 lines whose host can be no name",
                 "9 lines whose client is unknown to the database of owners"):  # fmt: skip
        assert fact in text
    assert "late" not in text
    assert "gone" not in text
    gone = "\n".join(summary_lines(summary(removed=Removed((date(2026, 5, 17),), ("a.log",)))))
    assert "1 days past their retention are gone" in gone
    assert "a.log is gone" in gone
    assert "120 rows in 2 weeks" in "\n".join(summary_lines(summary(period=Period.WEEK)))


def test_a_summary_of_nothing() -> None:
    """A run over nothing has a summary too."""
    nothing = summary(
        lines=0, rows=0, rejects={}, bytes_read=0, seconds=0.0, formats={}, tables={}, logs=0, logs_known=0
    )
    assert summary_lines(nothing)[0] == "0 lines, 0.0 MB, 0.00 s, 0 MB/s"


def test_the_summary_tells_why_nothing_is_published() -> None:
    """A policy that publishes sealed days says so; a run with nothing new lists no tables."""
    none = {"pages": SimpleNamespace(days=0, rows=0, requests=0, rolled_up=0)}
    assert "once, when it is sealed" in summary_lines(summary(tables=none))[-1]
    late = "\n".join(summary_lines(summary(tables=none, late=999_990)))
    nothing_new = "\n".join(summary_lines(summary(tables=none, rows=0)))
    for text in (late, nothing_new):
        assert "table" not in text
        assert "sealed" not in text.replace("their day is sealed", "")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Put a pipeline in place that writes down how it is called and whose second log fails."""
    seen: list[Any] = []

    def run(logs: Any, out: Any, **options: Any) -> Any:
        seen.append((logs, out, options))
        return summary(errors=(errors.InputError("is cut short", source="b\x1b.gz"),) if "b" in logs else ())

    module = ModuleType("logblur.pipeline")
    module.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "logblur.pipeline", module)
    return seen


def test_run_hands_its_options_to_the_library(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Options of `run` arrive at the library call as they are; without a terminal there is no progress bar."""
    words = ["run", "a", "-", "-o", "out", "-p", "strict", "--state", "s", "--workers", "2", "--format", "common"]
    words += ["--max-state", "3"]
    assert main(words) == 0
    assert main(["run", "a", "-o", "out", "--quiet"]) == 0
    given_options = {
        "policy": load_policy("strict"),
        "state": "s",
        "workers": 2,
        "format": "common",
        "max_state_bytes": 3_000_000,
        "on_progress": None,
        "on_notice": say,
    }
    defaults = {"policy": load_policy("audience"), "state": None, "workers": None, "format": None, "on_progress": None}
    defaults |= {"max_state_bytes": None, "on_notice": None}  # quiet
    assert calls == [(("a", "-"), "out", given_options), (("a",), "out", defaults)]
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("policy strict lacks controller.name,") == 1
    assert err.count("lacks") == 1  # quiet
    assert err.count("1,000,000 lines") == 1


def test_run_ends_with_the_code_of_the_first_log_that_failed(
    calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Quiet or not, a log that failed is told, its name made visible, and the exit code is that of its error."""
    assert main(["run", "a", "b", "-o", "out", "-q"]) == 4
    assert capsys.readouterr().err == "logblur: b\\x1b.gz: is cut short\n"
    assert len(calls) == 1


def test_run_shows_a_bar_on_a_terminal(
    calls: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal the library is given a callback that moves a bar, also while the total is not known."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["run", "a", "-o", "out"]) == 0
    move = calls[0][2]["on_progress"]
    move(SimpleNamespace(bytes_read=1, bytes_total=None, lines=1))
    move(SimpleNamespace(bytes_read=1, bytes_total=2, lines=1))
    assert "1,000,000 lines" in capsys.readouterr().err


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Put an inspection in place that finds the combined format."""
    facts = {"format": "combined", "lines": 4, "parsed": 3, "rejects": {"bad time": 1}, "ranking": [("combined", 0.75)]}
    held = SimpleNamespace(category="contact data", field="query", kind="email", lines=2)
    found = SimpleNamespace(**facts, held=(held,), sample={}, damage="", to_json=lambda: facts)
    module = ModuleType("logblur.inspection")
    module.inspect = lambda *_, **__: found  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "logblur.inspection", module)
    return found


def test_inspect(inspected: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    """`inspect` says format, share, rejects and kinds of personal data; where no format fits it ends with 2."""
    assert main(["inspect", "a.log"]) == 0
    out = capsys.readouterr().out
    for fact in ("combined", "4, 75.00% can be read", "1: bad time", "contact data: email in query, 2 lines"):
        assert fact in out
    assert "damage" not in out
    inspected.damage = "a.log: ends too early"
    assert main(["inspect", "a.log"]) == 0
    assert "ends too early" in capsys.readouterr().out
    assert main(["inspect", "a.log", "--json"]) == 0
    assert '"rejects": {"bad time": 1}' in capsys.readouterr().out
    inspected.format = None
    assert main(["inspect", "a.log"]) == 2


def test_main_takes_the_words_of_the_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without arguments `main` reads those of the process, as a console script needs."""
    monkeypatch.setattr(sys, "argv", ["logblur", "policy", "check", str(tmp_path / "none.toml")])
    assert main() == 2

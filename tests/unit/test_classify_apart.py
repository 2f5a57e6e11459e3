"""User agents and hosts described in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logblur.classify import Apart, agents, hosts
from logblur.classify.apart import in_this_process

SAID = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.5.0",
    "",
]


@pytest.fixture
def apart() -> Iterator[Apart]:
    """Start the other process, and end it."""
    made = Apart()
    yield made
    made.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(texts=st.lists(st.sampled_from(SAID) | st.text(st.characters(exclude_categories=["Cs"]), max_size=600)))
def test_another_process_says_what_this_one_says(apart: Apart, texts: list[str]) -> None:
    """Whoever describes, the rows are the same, and none is lost or out of order."""
    assert apart.describe("agents", texts) == [agents.describe(text) for text in texts]
    assert apart.describe("hosts", texts) == [hosts.describe(text) for text in texts]
    assert all(type(row) is agents.Agent for row in apart.describe("agents", texts))
    assert apart._process is not None  # it was the other one that answered


def test_many_texts_pass_at_once(apart: Apart) -> None:
    """More than a pipe holds, both ways, without one waiting for the other."""
    texts = [f"curl/{n} {'x' * 400}" for n in range(5_000)]
    assert apart.describe("agents", texts) == in_this_process("agents", texts)


def test_where_the_other_process_dies_this_one_describes(apart: Apart) -> None:
    """A process that the system killed for its memory costs time and no row."""
    assert apart._process is not None
    apart._process.kill()
    apart._process.wait()
    assert apart.describe("agents", SAID) == in_this_process("agents", SAID)
    assert apart._process is None
    assert apart.describe("hosts", ["www.example.org"]) == [hosts.describe("www.example.org")]


@pytest.mark.parametrize("executable", ["/nonexistent/python", None, ""])
def test_where_none_can_be_started_this_one_describes(executable: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that nobody can start again is no reason to fail."""
    monkeypatch.setattr(sys, "executable", executable)
    assert Apart().describe("agents", SAID) == in_this_process("agents", SAID)


@pytest.mark.parametrize("said", ["Initialising plugins", "could not load\nplugin x", "x" * 70_000])
def test_what_else_is_printed_there_means_nothing(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the site that prints as every interpreter starts costs time and no row."""
    (tmp_path / "sitecustomize.py").write_text(f"print({said!r}, flush=True)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    apart = Apart()
    assert apart.describe("agents", SAID) == in_this_process("agents", SAID)
    apart.close()


def test_it_ends_with_the_process_that_started_it() -> None:
    """A run that is killed leaves nobody behind who knows its texts."""
    code = (
        "import os, time; from logblur.classify import Apart; print(Apart()._process.pid, flush=True); time.sleep(60)"
    )
    ran = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env={"PYTHONPATH": ":".join(sys.path)})
    assert ran.stdout is not None
    pid = int(ran.stdout.readline())
    ran.send_signal(signal.SIGKILL)
    ran.communicate()
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a zombie that nobody waits for has ended, too
            if ") Z" in stat.read():
                return
        time.sleep(0.05)
    pytest.fail("it lives on")


def test_it_loads_what_describes_and_no_more() -> None:
    """Neither arrays nor kernels: it is there before the process that started it has loaded them."""
    heavy = "numpy pyarrow numba pydantic polars"
    code = f"import sys, logblur.classify.apart; print([m for m in '{heavy}'.split() if m in sys.modules])"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert ran.stdout.strip() == "[]"


def test_nothing_is_shown_of_what_is_described(apart: Apart, capfd: pytest.CaptureFixture[str]) -> None:
    """What it cannot read goes nowhere, and its text names no agent."""
    assert apart._process is not None
    assert apart._process.stdin is not None
    apart._process.stdin.write(b"secret-agent/1")  # no pickle: it fails
    apart._process.stdin.flush()
    assert apart.describe("agents", ["secret-agent/2"]) == in_this_process("agents", ["secret-agent/2"])
    shown = capfd.readouterr()
    assert "secret" not in shown.out + shown.err + repr(apart)

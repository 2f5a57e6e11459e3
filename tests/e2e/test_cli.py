"""The command line as a process: the policy commands, wrong words, pipes, and how little starting imports."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from logblur.policy.load import BUILT_IN, builtin_text

DOCS = Path(__file__).parents[2] / "docs"
LOG = str(DOCS.parent / "sample_logs" / "common.log")
HEAVY = ("numba", "polars", "pyarrow", "numpy", "pydantic", "rich", "llvmlite", "cryptography")


def logblur(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "logblur", *words]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=60, check=False)


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["run", "--help"], ["policy", "explain", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """Help and version start without the libraries that do the work."""
    code = (
        "import sys; from logblur.cli import main; code = main(sys.argv[1:]);"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.endswith("heavy: []\n")
    assert done.stderr == ""


def test_pandas_is_not_imported_where_it_is_installed(tmp_path: Path) -> None:
    """Arrow imports pandas by itself (the control); a command does not let it."""
    (tmp_path / "pandas.py").write_text("print('pandas was here')\n__version__ = '0'\n", encoding="utf-8")
    for words, came in (
        (["-c", "import pyarrow; pyarrow.array(['x'])"], True),
        (["-m", "logblur", "inspect", LOG], False),
    ):
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True, text=True, timeout=120, check=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        assert ("pandas was here" in done.stdout) is came


def test_no_plugin_is_shown_a_policy(tmp_path: Path) -> None:
    """Pydantic asks every plugin that is installed (the control) what to do with a model; a command does not let it."""
    (tmp_path / "plug.py").write_text("print('a plugin was here')\nplugin = None\n", encoding="utf-8")
    (tmp_path / "plug-1.dist-info").mkdir()
    (tmp_path / "plug-1.dist-info" / "METADATA").write_text("Name: plug\nVersion: 1\n", encoding="utf-8")
    (tmp_path / "plug-1.dist-info" / "entry_points.txt").write_text("[pydantic]\np = plug:plugin\n", encoding="utf-8")
    own = {name: value for name, value in os.environ.items() if name != "PYDANTIC_DISABLE_PLUGINS"}  # of tests before
    for words, came in (
        (["-c", "from logblur.policy.load import load_policy"], True),
        (["-m", "logblur", "policy", "check", "audience"], False),
    ):
        done = subprocess.run(
            [sys.executable, *words],
            capture_output=True, text=True, timeout=60, check=False, env={**own, "PYTHONPATH": str(tmp_path)},
        )  # fmt: skip
        assert ("a plugin was here" in done.stdout) is came


@pytest.mark.parametrize("name", BUILT_IN)
def test_policy_commands(name: str, tmp_path: Path) -> None:
    """A built-in policy is shown as it is, checks, explains itself, and does the same as a file of one's own."""
    shown = logblur("policy", "show", name)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, builtin_text(name), "")
    mine = tmp_path / "mine.toml"
    mine.write_text(shown.stdout, encoding="utf-8")
    checked = logblur("policy", "check", str(mine))
    assert (checked.returncode, checked.stdout) == (0, "")
    assert ": ok, " in checked.stderr
    explained = logblur("policy", "explain", str(mine))
    assert (explained.returncode, explained.stderr) == (0, "")
    assert explained.stdout == logblur("policy", "explain", name).stdout
    assert "before [fields] acts" in explained.stdout
    assert re.search(r"^remote_user +drop", explained.stdout, re.M)
    assert "\x1b" not in explained.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Missing command"),
        (["nope"], "nope"),
        (["run"], "LOG"),
        (["run", "a.log"], "--out"),
        (["run", "a.log", "-o", "out", "--colour"], "--colour"),
        (["run", "a.log", "-o", "out", "--workers", "0"], "workers"),
        (["policy", "show", "audiense"], "did you mean 'audience'"),
        (["policy", "check", "none.toml"], "no file 'none.toml'"),
        (["policy", "check", "/"], "cannot be read"),
        (["policy", "check", "\x1b[2J.toml"], r"\x1b[2J.toml"),
    ],
)
def test_wrong_words_end_with_2_and_one_line(words: list[str], says: str) -> None:
    """A wrong flag, command or path is one line that says what is wrong, and exit code 2."""
    done = logblur(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("logblur: ")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("command", ["check", "explain"])
def test_a_broken_policy_ends_with_2_and_the_key(command: str, tmp_path: Path) -> None:
    """A policy that does not add up is one line with the key at fault; one that is no TOML has line and column."""
    file = tmp_path / "broken.toml"
    file.write_text(builtin_text("audience").replace("ipv4_prefix = 16", "ipv4_prefix = 99"), encoding="utf-8")
    done = logblur("policy", command, str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "logblur: fields.remote_addr.ipv4_prefix: should be less than or equal to 32\n"
    file.write_text('192.0.2.7 - - [10/Oct/2020] "GET / HTTP/1.1"\n', encoding="utf-8")
    done = logblur("policy", command, str(file))
    assert done.returncode == 2
    assert "line 1, column" in done.stderr
    assert "GET" not in done.stderr


def test_names_in_a_policy_cannot_command_a_terminal(tmp_path: Path) -> None:
    """Whatever a policy's keys are called, the error shows them visibly on one line."""
    file = tmp_path / "broken.toml"
    file.write_text('"\\u001b[2J\\n" = 1\n' + builtin_text("audience"), encoding="utf-8")
    done = logblur("policy", "check", str(file))
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_who_leaves_is_no_error() -> None:
    """When the reader of stdout is gone the command ends quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "logblur", "policy", "explain"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(60) == 0
    assert err == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk() -> None:
    """What cannot be written to stdout is exit code 5 and one line; words that cannot be written change nothing."""
    with open("/dev/full", "w") as full:  # noqa: PTH123  # a stream for a process
        command = [sys.executable, "-m", "logblur", "policy"]
        shown = subprocess.run(
            [*command, "show", "audience"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
        checked = subprocess.run([*command, "check"], stderr=full, timeout=60, check=False)
    assert shown.returncode == 5
    assert shown.stderr.startswith("logblur: standard output cannot be written: ")
    assert shown.stderr.count("\n") == 1
    assert checked.returncode == 0


def test_inspect_of_a_real_log() -> None:
    """A sample log is told by its format, as words and as one JSON object with the same counts."""
    log = str(DOCS.parent / "sample_logs" / "combined.log")
    words, told = logblur("inspect", log), logblur("inspect", log, "--json")
    assert (words.returncode, words.stderr, told.returncode, told.stderr) == (0, "", 0, "")
    facts = json.loads(told.stdout)
    assert (facts["format"], facts["lines"]) == ("combined", 4264)
    assert f"{facts['lines']:,}, {facts['parsed'] / facts['lines']:.2%} can be read" in words.stdout
    assert facts["ranking"][0]["format"] == "combined"


def test_the_manual_is_fresh() -> None:
    """docs/cli.md is what the help texts say; ``python docs/make_cli.py`` writes it anew."""
    spec = importlib.util.spec_from_file_location("make_cli", DOCS / "make_cli.py")
    assert spec is not None
    assert spec.loader is not None
    make_cli = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_cli)
    assert make_cli.PAGE.read_text(encoding="utf-8") == make_cli.page()
    for section in make_cli.page().split("\n## ")[1:]:
        assert re.search(r"Example: (.* \| )?logblur ", section)

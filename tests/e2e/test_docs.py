"""The documents: what they show is what happens, and what is made by a script is fresh."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import logblur
from logblur.formats.carriers import CARRIERS
from logblur.formats.json import NAMED
from logblur.policy import load_policy
from logblur.policy.resolve import resolve
from logblur.schema import KEY_TYPES, MEANINGS, MEASURES, UNIVERSES, Reason

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
README = (PROJECT / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"(?ms)^\$ (.*?)$\n(.*?)(?=^\$ |\Z)")


def fences(text: str, *kinds: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of these kinds, all where none is named, as (kind, content)."""
    found = re.findall(r"(?ms)^```([a-z]*)\n(.*?)^```$", text)
    return [(kind, block) for kind, block in found if not kinds or kind in kinds]


def script(name: str) -> ModuleType:
    """Return a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the checkout of a newcomer who has pasted the first command."""
    folder = tmp_path_factory.mktemp("newcomer")
    for name in ("sample_logs", "configs", "docs"):
        (folder / name).symlink_to(PROJECT / name)
    logblur.run(folder / "sample_logs", folder / "out", state=folder / "state")
    return folder


# The README's two commands


def test_the_first_two_sh_blocks_are_one_line_each() -> None:
    """What a newcomer pastes is a single line; the first runs the main job, the second the tests; no other is sh."""
    shell = [block for kind, block in fences(README, "sh")]
    assert [block.count("\n") for block in shell[:2]] == [1, 1]
    assert len(shell) == 2
    run, tests = shell
    for command in (run, tests):
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install --quiet ")
    assert run.endswith("logblur run sample_logs -o out\n")
    assert "'.[test]'" in tests
    assert tests.endswith("-m pytest\n")


def test_ci_runs_what_the_readme_says() -> None:
    """`.ci/run` takes the two commands out of the README as they stand."""
    judge = (PROJECT / ".ci" / "run").read_text(encoding="utf-8")
    start = judge.index("command_of_readme() {")
    function = judge[start : judge.index("\n}\n", start) + 3]
    for number, (_, block) in enumerate(fences(README, "sh"), start=1):
        done = subprocess.run(
            ["bash", "-euc", f"{function}command_of_readme {number}"],
            cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout == block


def test_the_readme_is_short() -> None:
    """A newcomer reads it all."""
    assert len(README.splitlines()) < 150


# The README's line and policy


def test_the_line_becomes_what_the_table_says(tmp_path: Path) -> None:
    """The line of the README under the default policy gives the values of the README's table, and nothing else."""
    line = next(block for _, block in fences(README, "text"))
    log = tmp_path / "access.log"
    log.write_text(line, encoding="utf-8")
    (row,) = logblur.scan(log).collect().to_dicts()
    rows = re.findall(r"(?m)^\| `(.*?)` \| (.*) \|$", README)
    for raw, _ in rows:
        assert raw.removesuffix("…") in line
    said = dict(re.findall(r"`(\w+)` = `([^`]*)`", " ".join(after for _, after in rows)))
    assert {name: str(row[name]) for name in said} == said
    unsaid = {name: value for name, value in row.items() if name not in said}
    assert unsaid == {
        "site": "(none)", "status_class": "2xx", "os_major": "10 or 11", "bot": "(none)", "bot_class": "(none)",
        "social_network": "(none)", "ai_service": "(none)",
        "complete": "yes", "bytes": 5120,
    }  # fmt: skip
    published = " ".join(map(str, row.values()))
    for secret in ("203.0.113.77", "anna", "mail", "48213", "concert", "Mozilla", "05:03"):
        assert secret not in published


def test_policies_of_the_pages_can_be_carried_out(place: Path, tmp_path: Path) -> None:
    """Every policy that a page shows checks, and publishes rows of the sample logs; the README's has ten lines."""
    shown = [(page.name, block) for page in PAGES for _, block in fences(page.read_text(encoding="utf-8"), "toml")]
    assert shown[0][0] == "README.md"
    assert shown[0][1].count("\n") == 10
    for number, (page, text) in enumerate(shown):
        if not text.startswith("version = 1"):  # a part of one
            continue
        file = tmp_path / f"{number}-{page}.toml"
        file.write_text(text, encoding="utf-8")
        assert resolve(load_policy(file)).tables
        summary = logblur.run(
            place / "sample_logs", tmp_path / f"out{number}", policy=file, state=tmp_path / f"s{number}"
        )
        assert not summary.errors
        assert all(table.rows for table in summary.tables.values())


# What scripts write


def test_the_columns_are_fresh() -> None:
    """docs/columns.md lists what schema and default policy say; ``python docs/make_columns.py`` writes it anew."""
    make = script("make_columns")
    assert make.PAGE.read_text(encoding="utf-8") == make.page(make.PAGE.read_text(encoding="utf-8"))


def test_the_formats_are_fresh() -> None:
    """docs/formats.md lists names and fields as the code has them; ``python docs/make_formats.py`` writes it anew."""
    make = script("make_formats")
    assert make.PAGE.read_text(encoding="utf-8") == make.page(make.PAGE.read_text(encoding="utf-8"))


def test_every_column_and_universe_has_a_meaning() -> None:
    """No column or universe that a policy can name lacks its line."""
    assert list(MEANINGS) == ["date", *KEY_TYPES, *MEASURES]
    text = (PROJECT / "docs" / "columns.md").read_text(encoding="utf-8")
    for name in (*MEANINGS, *UNIVERSES):
        assert re.search(rf"(?m)^\| `{name}` \|", text), name


# Examples


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_examples_run(page: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each Python example of a page runs; what it asserts holds; lines of ``# -> value`` are what is printed."""
    monkeypatch.chdir(place)
    for _, block in fences(page.read_text(encoding="utf-8"), "python"):
        said = [line.removeprefix("# -> ") for line in block.splitlines() if line.startswith("# -> ")]
        printed = io.StringIO()
        names: dict[str, Any] = {"__name__": "__main__"}
        with contextlib.redirect_stdout(printed):
            exec(compile(block, page.name, "exec"), names)
        if said:
            assert printed.getvalue().splitlines() == said


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_console_examples_run(page: Path, place: Path) -> None:
    """Each ``$ logblur`` of a page ends with 0; where output is shown, it is what stdout and stderr say."""
    shim = place / "bin"
    shim.mkdir(exist_ok=True)
    program = shim / "logblur"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m logblur "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{shim}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(logblur.__file__).parents[1]),  # from wherever it is tested
    }
    for _, block in fences(page.read_text(encoding="utf-8"), "console"):
        for command, said in COMMAND.findall(block):
            if not command.startswith("logblur "):
                continue
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=place,
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            if said.strip():
                assert (done.stdout + done.stderr).strip() == said.strip()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the project finds it."""
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_exist(page: Path) -> None:
    """Every test that a page names as proof of a promise is there."""
    for file, name in re.findall(r"`(tests/[a-z0-9_/]+\.py)(?:::(test_\w+))?`", page.read_text(encoding="utf-8")):
        assert (PROJECT / file).exists(), file
        if name:
            assert f"def {name}(" in (PROJECT / file).read_text(encoding="utf-8"), f"{file}::{name}"


def test_the_page_on_input_is_complete() -> None:
    """It names every reason for which a line is refused, every carrier, and every JSON format."""
    page = (PROJECT / "docs" / "input.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([^`\n]+)`", page))
    assert {*CARRIERS, *NAMED, *(reason.text for reason in Reason)} <= named


def test_anonymous_is_never_claimed() -> None:
    """No page calls what logblur makes anonymous: nothing here proves that."""
    for page in PAGES:
        assert not re.search(r"\banonym(?!ize-ip|izeip)", page.read_text(encoding="utf-8"), re.IGNORECASE), page.name

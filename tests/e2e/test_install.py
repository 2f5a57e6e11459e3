"""The wheel: what is in it, what it needs, and that it works where nothing of the checkout is at hand.

That the README's two commands work on a clean clone is what `.ci/run` tries.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

PROJECT = Path(__file__).parents[2]
IMPORTED_AS = {"crawler-user-agents": "crawleruseragents", "python-stdnum": "stdnum", "ua-parser": "ua_parser"}
BROUGHT_BY = {"llvmlite": "numba", "ua_parser_rs": "ua-parser", "pydantic_core": "pydantic"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the checkout, built as pip builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet", "--wheel-dir", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode and re.search(r"No matching distribution|No module named pip|Connection|Retrying", done.stderr):
        pytest.skip("no package index is reachable, so there is nothing to build with")
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_it_needs(wheel: Path) -> None:
    """Code, policies, tables, type mark and licence are in the wheel; tests, logs and caches are not."""
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
        policies = {path.name: path.read_bytes() for path in (PROJECT / "configs").glob("*.toml")}
        for name, content in policies.items():
            assert archive.read(f"logblur/policy/configs/{name}") == content
    source = PROJECT / "src" / "logblur"
    code = {f"logblur/{path.relative_to(source).as_posix()}" for path in source.rglob("*.py")}
    data = {
        "logblur/py.typed",
        "logblur/classify/referrers.toml",
        "logblur/classify/names.txt",
        "logblur/classify/bots.toml",
        *(f"logblur/privacy/texts/{path.name}" for path in (source / "privacy" / "texts").iterdir()),
    }
    assert code | data <= names
    about = {name for name in names if ".dist-info/" in name}
    assert any(name.endswith("licenses/LICENSE") for name in about)
    assert names - about == code | data | {f"logblur/policy/configs/{name}" for name in policies}


def test_an_installed_wheel_needs_no_checkout(wheel: Path, tmp_path: Path) -> None:
    """From a fresh environment, in a folder of its own, the command says its version and shows its policies."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False, symlinks=True)
    paths = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    with ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    python = Path(sysconfig.get_path("scripts", "venv", paths)) / "python"

    def logblur(*words: str) -> str:
        command = [str(python), "-Im", "logblur", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [str(python), "-Ic", "import logblur; print(logblur.__file__)"], capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(packages)
    assert logblur("--version").startswith("logblur ")
    for name in ("audience", "strict", "records"):
        policy = (PROJECT / "configs" / f"{name}.toml").read_text(encoding="utf-8")
        assert logblur("policy", "show", name) == policy


def test_what_is_imported_is_what_is_declared() -> None:
    """Every library that the code imports is a dependency, and every dependency is imported."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [re.match(r"[A-Za-z0-9_-]+", text) for text in project["dependencies"]]
    declared = {match[0] for match in named if match is not None}
    imported = set()
    for file in (PROJECT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "import_module":
                name = re.match(r"f?['\"]([a-z0-9_]+)", ast.unparse(node.args[0]))
                imported |= {name[1]} if name else set()
    others = imported - set(sys.stdlib_module_names) - {"logblur"}
    assert {IMPORTED_AS.get(name, name) for name in declared} == others - set(BROUGHT_BY)
    assert {BROUGHT_BY[name] for name in others & set(BROUGHT_BY)} <= declared
    assert "urls" not in project


def test_every_dependency_has_its_reason() -> None:
    """docs/design.md, section 8, says of each dependency what it is for, its licence and who keeps it up."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (PROJECT / "docs" / "design.md").read_text(encoding="utf-8")
    reasons = text[text.index("## 8. Libraries") :]
    for dependency in project["dependencies"]:
        name = re.split(r"[<>=]", dependency)[0]
        row = next((line for line in reasons.splitlines() if line.startswith(f"| {name} ")), "")
        assert row.count(" | ") == 3, name

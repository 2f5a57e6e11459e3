"""What holds for the code as a whole and no import contract can say."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import logblur

SOURCE = Path(logblur.__file__).parent


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the package: its path below the package, and its syntax tree."""
    for path in sorted(SOURCE.rglob("*.py")):
        yield path.relative_to(SOURCE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def calls(tree: ast.Module) -> set[str]:
    """The names that a module calls, the last part of each."""
    functions = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {f.id if isinstance(f, ast.Name) else f.attr for f in functions if isinstance(f, ast.Name | ast.Attribute)}


def test_protected_is_constructed_in_protect_alone() -> None:
    """There is one door from raw to publishable."""
    assert {name for name, tree in modules() if "Protected" in calls(tree)} == {"protect/door.py"}


def test_nothing_outside_cli_prints() -> None:
    """Libraries do not speak: no print, no logging, no stream of the process outside of cli."""
    for name, tree in modules():
        if name.startswith("cli/"):
            continue
        assert "print" not in calls(tree), name
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert not imported & {"logging", "warnings"}, name
        streams = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & {"stdout", "stderr"}
        assert not streams, name


def rooms() -> list[str]:
    """The package and every package in it."""
    below = pkgutil.walk_packages(logblur.__path__, "logblur.")
    return ["logblur", *(info.name for info in below if info.ispkg)]


@pytest.mark.parametrize("room", rooms())
def test_every_public_name_is_documented(room: str) -> None:
    """Each room, and each function and class that it offers, says what it is for."""
    module = importlib.import_module(room)
    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__doc__, f"{room}.{name}"


def test_the_public_names_are_there() -> None:
    """Each public name can be reached, twice, and is not a module that was imported under its name."""
    code = (
        "import logblur, types\n"
        "for name in logblur.__all__ * 2:\n"
        "    assert not isinstance(getattr(logblur, name), types.ModuleType), name\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_importing_costs_nothing() -> None:
    """``import logblur`` brings in none of the heavy libraries."""
    heavy = ("numba", "polars", "pyarrow", "numpy", "pydantic", "cryptography")
    code = f"import sys, logblur; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert done.stdout == "[]\n"

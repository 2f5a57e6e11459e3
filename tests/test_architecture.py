"""What only one place may do, read from the code itself; import-linter holds the layers."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import logblur

SOURCE = Path(__file__).parents[1] / "src" / "logblur"


def users(name: str) -> set[str]:
    """Return the rooms (or files) that call something of this name, whether imported or as an attribute."""
    found = set()
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if called == name:
                    found.add(file.relative_to(SOURCE).as_posix())
    return found


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("Protected", {"protect/door.py"}),  # the only raw -> publishable door
        ("register_io_source", {"records.py"}),  # Polars marks it unstable
        ("AESGCM", {"dataset/partials.py"}),
        ("HKDF", {"keys.py"}),
        ("Cipher", {"protect/aes.py"}),  # a bare block cipher
        # Parquet, the stream that is encrypted, and the yardstick of the first, which writes to memory
        ("write_table", {"dataset/publish.py", "dataset/partials.py", "bench/yardsticks.py"}),
    ],
)
def test_only_one_place(name: str, places: set[str]) -> None:
    """What must be right is done in one place alone."""
    assert users(name) == places


def test_the_stages_print_nothing() -> None:
    """Nothing is printed but by the command line, which makes it visible characters first."""
    assert {file.partition("/")[0] for file in users("print") | users("echo")} <= {"cli"}


def test_every_module_says_what_it_is() -> None:
    """Each file of the package begins with what it is for."""
    for file in SOURCE.rglob("*.py"):
        assert ast.get_docstring(ast.parse(file.read_bytes())), file.name


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

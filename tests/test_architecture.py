"""What only one place may do, read from the code itself; import-linter holds the layers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

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
        ("register_io_source", {"scan.py"}),  # Polars marks it unstable
        ("AESGCM", {"dataset/partials.py"}),
        ("HKDF", {"keys.py"}),
        ("Cipher", {"protect/aes.py"}),  # a bare block cipher
        ("write_table", {"dataset/publish.py", "dataset/partials.py"}),  # Parquet, and the stream that is encrypted
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

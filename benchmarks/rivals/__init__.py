"""Other tools at the nearest job that each can do, on the same log, in a process of its own.

A rival is a module with ``RIVAL``; those in Python do their job when run as ``python -m benchmarks.rivals.<name>``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another tool.

    Attributes:
        name: What it is called.
        version: Returns its version; raises `LookupError` with the reason where it is not installed.
        command: The command for a log and an empty folder of its own.
        leaves_out: What of the main job it does not do.
        environment: For the process.
    """

    name: str
    version: Callable[[], str]
    command: Callable[[Path, Path], Sequence[str]]
    leaves_out: str
    environment: Mapping[str, str]


def in_python(module: str, package: str, name: str, leaves_out: str) -> Rival:
    """Return a rival whose job is written in a module here, upon a package."""

    def found() -> str:
        try:
            return version(package)
        except PackageNotFoundError:
            raise LookupError(f"the package {package} is not installed") from None

    def command(log: Path, folder: Path) -> Sequence[str]:
        return [sys.executable, "-m", f"benchmarks.rivals.{module}", str(log), str(folder)]

    return Rival(name, found, command, leaves_out, {"PYTHONPATH": str(ROOT)})


NAMES = ("goaccess", "polars_regex", "duckdb_regex", "duckdb_csv", "chdb_regex", "pyarrow_regex", "apachelogs_rows")
"""Of those that make statistics; `anonip` masks lines."""


def rival(name: str) -> Rival:
    """Return a rival by the name of its module."""
    found: Rival = import_module(f"benchmarks.rivals.{name}").RIVAL
    return found

"""Anonip: addresses of the first column masked, line by line, from stdin to stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import Rival


def _version() -> str:
    try:
        return version("anonip")
    except PackageNotFoundError:
        raise LookupError("the package anonip is not installed") from None


def _command(log: Path, folder: Path) -> Sequence[str]:
    job = f'exec "{sys.executable}" -m anonip --ipv4mask 16 --ipv6mask 96 < "{log}" > "{folder / "masked.log"}"'
    return ["sh", "-c", job]


RIVAL = Rival("Anonip", _version, _command, "all but the client's address; what it does not recognise passes", {})

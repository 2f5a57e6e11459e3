"""GoAccess (Debian): the panels of its report as JSON, addresses masked for display."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import Rival


def _version() -> str:
    if shutil.which("goaccess") is None:
        raise LookupError("goaccess is not installed")
    said = subprocess.run(["goaccess", "--version"], capture_output=True, text=True, check=True).stdout
    return said.split()[2].rstrip(".")


def _command(log: Path, folder: Path) -> Sequence[str]:
    given = ["--log-format=COMBINED", "--anonymize-ip", "--no-global-config", "--no-progress"]
    return ["goaccess", str(log), *given, "-o", str(folder / "report.json")]


RIVAL = Rival(
    "GoAccess --anonymize-ip", _version, _command,
    "tables by day, thresholds, keyed tokens, path templates, Parquet, exactly-once; one thread", {},
)  # fmt: skip

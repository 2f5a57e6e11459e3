"""SIGKILL at every step and at any time: the next run completes what was begun, to the byte."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

KILLS = {"nightly": 200, "ci": 20}.get(os.environ.get("HYPOTHESIS_PROFILE", "dev"), 4)


def test_a_killed_run_is_completed_to_the_byte(project: Path, tmp_path: Path) -> None:
    """Of several logs, days and runs, killed anywhere and run again, every byte of OUT is that of undisturbed runs."""
    words = [sys.executable, "-m", "tests.crashes", str(tmp_path), str(KILLS)]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, timeout=30 * KILLS + 120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{KILLS} kills, 0 failures" in done.stdout

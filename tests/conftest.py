"""Hypothesis profiles, the corpus' place, and what keeps tests apart from the user's own files."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets background jobs, and their children, ignore it
settings.register_profile("dev", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a person who has read the new texts keep them: ``--update-snapshots``."""
    parser.addoption("--update-snapshots", action="store_true", help="write the texts of tests/snapshots anew")


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes to the user's state folder. The cache of compiled kernels stays: it holds no data."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state-home")))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real logs and ground truth; tests that need it skip where it is not."""
    folder = os.environ.get("LOGBLUR_CORPUS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("LOGBLUR_CORPUS names no folder: the corpus is not part of the project")
    return Path(folder)


@pytest.fixture(scope="session")
def project() -> Path:
    """The checkout."""
    return Path(__file__).parent.parent

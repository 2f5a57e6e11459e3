"""The log that benchmarks read: a million lines when they are timed, a few thousand when they run as tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import data

TIMED, TESTED = 1_000_000, 20_000


@pytest.fixture(scope="session")
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of the seeded generator, `data.py`."""
    path = tmp_path_factory.mktemp("log") / "shop.log"
    data.write(path, TIMED if request.config.getoption("benchmark_enable") else TESTED, seed=1)
    return path

"""Every seed passes its target: the targets run where no fuzzer can be installed too."""

from __future__ import annotations

from pathlib import Path

import pytest

from .targets import TARGETS

SEEDS = sorted((Path(__file__).parent / "seeds").glob("*/*"))


@pytest.mark.parametrize("seed", SEEDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_seed_passes(seed: Path) -> None:
    """Kernel and reference agree on the seed."""
    TARGETS[seed.parent.name](seed.read_bytes())


def test_each_target_has_seeds() -> None:
    """No target begins with nothing."""
    assert {seed.parent.name for seed in SEEDS} == set(TARGETS)

"""Every benchmark runs once, on little, so that none can rot; no time is looked at."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from logblur.bench.measure import measure
from logblur.bench.sample import Sample
from logblur.policy import load_policy
from logblur.policy.resolve import resolve

from . import rivals
from .__main__ import BENCHMARKS, Result, compared, render
from .data import PROFILES
from .figures import Figure, Scale


@pytest.fixture(scope="session")
def scale(tmp_path_factory: pytest.TempPathFactory) -> Scale:
    """Two thousand lines, once."""
    return Scale(tmp_path_factory.mktemp("logs"), lines=2000, rounds=1, busy_s=0.0)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_stage_is_measured_on_every_profile(scale: Scale, profile: str) -> None:
    """Each stage gives a positive ratio to its yardstick."""
    found = list(measure(scale.sample(profile), rounds=1))
    assert [one.stage for one in found] == ["read", "parse", "classify", "protect", "aggregate", "release", "publish"]
    assert all(one.ratio > 0 and one.lines_s > 0 for one in found)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_gives_figures(scale: Scale, name: str) -> None:
    """What is installed is measured; what is not says so."""
    found = BENCHMARKS[name](scale)
    assert found
    assert all(figure.value > 0 or "not measured" in figure.detail or figure.unit == "x" for figure in found)


@pytest.mark.parametrize("name", [*rivals.NAMES, "anonip"])
def test_every_rival_says_what_it_leaves_out(name: str) -> None:
    """Nobody is compared on another job without a word."""
    assert rivals.rival(name).leaves_out


def test_a_result_fails_against_a_better_one(scale: Scale) -> None:
    """A stage that fell under half of what an earlier result says is named; one that did not is not."""
    stages = {"busy shop": tuple(measure(scale.sample(), rounds=1))}
    result = Result({"python": "3"}, stages, (Figure("something", 1.0, "x", 2.0),))
    earlier = json.loads(json.dumps(result.to_json()))
    assert compared(result, earlier, 0.5) == []
    slower = {"busy shop": tuple(replace(one, ratio=one.ratio / 3) for one in stages["busy shop"])}
    assert len(compared(replace(result, stages=slower), earlier, 0.5)) == len(stages["busy shop"]) - 1  # publish waits
    assert "something" in render(result)


def test_archives_are_measured_against_the_bare_library(scale: Scale) -> None:
    """Reading a .gz log is held against gunzip."""
    path: Path = scale.log(suffix=".log.gz")
    sample = Sample.of(path, resolve(load_policy("audience")))
    assert next(iter(measure(sample, rounds=1))).yardstick == "bare gunzip"

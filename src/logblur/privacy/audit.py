"""The audit: tests that try to break an output, each with a verdict. What a test needs and does not get is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from logblur.dataset.state import default_folder
from logblur.errors import InputError
from logblur.policy import Policy
from logblur.policy.resolve import resolve
from logblur.privacy.report import Report, Result, Verdict
from logblur.privacy.search import prepare, search

FEW = 10
"""k where the policy has no table."""


def audit(
    path: Path,
    *,
    raw: Sequence[str] = (),
    state: Path | None = None,
    policy: Policy,
) -> Report:
    """Attack an output, and say how each test ended.

    Args:
        path: A published folder, or a file or folder of any other tool: Parquet, CSV, JSON, logs.
        raw: The raw logs it was made of.
        state: The private folder; by default the one that belongs to ``path``, where there is one.
        policy: What was promised.

    Raises:
        InputError: There is no such path, or a raw log cannot be read.

    Privacy:
        The report holds places, kinds and counts; no value of a line.
    """
    if not path.exists():
        raise InputError("there is no such file or folder; check the name", source=str(path))
    plan = resolve(policy)
    enough = min((table.min_clients for table in plan.tables), default=FEW)
    if state is None and default_folder(path).is_dir():
        state = default_folder(path)
    results = []
    if raw:
        hunt = prepare(raw, wanted=plan.format, enough=enough)
        results.append(search("search of the output", path, hunt))
        results.append(
            search("search of the state", state, hunt) if state else _not_run("search of the state", "state")
        )
    else:
        results += [_not_run(f"search of the {place}", "raw log") for place in ("output", "state")]
    return Report(str(path), tuple(results))


def _not_run(name: str, lacking: str) -> Result:
    return Result(name, Verdict.NOT_RUN, f"no {lacking} was given or found")

"""The audit: tests that try to break an output, each with a verdict. What a test needs and does not get is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from logblur.dataset.state import default_folder
from logblur.errors import InputError
from logblur.policy import Policy
from logblur.policy.plan import Plan
from logblur.policy.resolve import resolve
from logblur.privacy.contract import contract
from logblur.privacy.figures import cell_sizes, dominance, singled_out
from logblur.privacy.identifiers import identifiers
from logblur.privacy.published import Published, versions
from logblur.privacy.recount import protected_rows
from logblur.privacy.report import Report, Result, Verdict
from logblur.privacy.reversal import constant_keys, masked_addresses, reversal
from logblur.privacy.search import Hunt, prepare, search
from logblur.privacy.state import state_check
from logblur.privacy.subtraction import kept_versions, subtraction, thresholds

FEW: Final = 10
"""k where the policy has no table."""

SECONDS: Final = 20.0
"""How long hashes are tried by default on addresses that nobody named."""


def audit(
    path: Path,
    *,
    policy: Policy,
    promised: bool = False,
    raw: Sequence[str] = (),
    state: Path | None = None,
    seconds: float = SECONDS,
) -> Report:
    """Attack an output, and say how each test ended.

    Args:
        path: A published folder (or one that holds several versions of one), or a file or folder of any other tool:
            Parquet, CSV, JSON, logs.
        policy: Its thresholds and format are used.
        promised: The output is to be held against this policy.
        raw: The raw logs it was made of.
        state: The private folder; by default the one that belongs to ``path``, where there is one.
        seconds: How long hashes may be tried on addresses beyond those of the raw logs.

    Raises:
        InputError: There is no such path, or a raw log cannot be read.
        OutputError: A published folder is damaged.

    Privacy:
        The report holds places, kinds and counts; no value of a line.
    """
    if not path.exists():
        raise InputError("there is no such file or folder; check the name", source=str(path))
    plan = resolve(policy)
    if state is None and default_folder(path).is_dir():
        state = default_folder(path)
    if state is not None and not state.is_dir():
        raise InputError("there is no such folder; check the name", source=str(state))
    enough = min((table.min_clients for table in plan.tables), default=FEW)
    hunt = prepare(raw, wanted=plan.format, enough=enough) if raw else None
    known = hunt.addresses if hunt else []
    found, columns = versions(path), identifiers(path)
    return Report(
        str(path),
        (
            *_searched(path, state, hunt),
            *_counted(found, raw, plan),
            contract(found, policy, plan) if promised and found else _not_run("contract", found),
            singled_out(path) if not found else Result("singling out", Verdict.NOT_RUN, "rows of totals, not records"),
            reversal(columns, known, seconds=seconds),
            masked_addresses(columns, known, enough=enough),
            constant_keys(columns),
            state_check(state) if state else Result("state", Verdict.NOT_RUN, "no state was given or found"),
        ),
    )


def _searched(path: Path, state: Path | None, hunt: Hunt | None) -> list[Result]:
    names = ("search of the output", "search of the state")
    if hunt is None:
        return [Result(name, Verdict.NOT_RUN, "no raw log was given") for name in names]
    return [
        search(names[0], path, hunt),
        search(names[1], state, hunt) if state else Result(names[1], Verdict.NOT_RUN, "no state was given or found"),
    ]


def _counted(found: Sequence[Published], raw: Sequence[str], plan: Plan) -> list[Result]:
    if not found:
        return [
            _not_run(name, found) for name in ("thresholds", "subtraction", "kept versions", "cell sizes", "dominance")
        ]
    lines = protected_rows(raw, plan) if raw and plan.tables else None
    return [
        thresholds(found, plan, lines),
        subtraction(found, plan, lines),
        kept_versions(found),
        cell_sizes(found),
        dominance(found, plan, lines),
    ]


def _not_run(name: str, found: Sequence[Published]) -> Result:
    why = "no policy was given with -p" if found else "PATH is no folder that logblur published"
    return Result(name, Verdict.NOT_RUN, why)

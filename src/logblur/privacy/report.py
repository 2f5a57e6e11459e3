"""What an audit says: a verdict for each test, and why; as a table, JSON and Markdown. Never a value of a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final


class Verdict(StrEnum):
    """How a test ended."""

    PASSED = "passed"
    FAILED = "failed"
    FIGURES = "figures"  # nothing to pass or fail: numbers to judge
    NOT_RUN = "not run"  # what it needs was not given


@dataclass(frozen=True, slots=True)
class Result:
    """How one test ended.

    Attributes:
        name: The test.
        verdict: How it ended.
        summary: Why, in a line.
        details: More lines: places, kinds and counts.
        figures: Numbers, by name.
    """

    name: str
    verdict: Verdict
    summary: str
    details: tuple[str, ...] = ()
    figures: dict[str, Any] = field(default_factory=dict)


SHOWN: Final = 20
"""Failures of one test that are named, at most."""


def verdict_of(name: str, bad: Sequence[str], summary: str, figures: dict[str, Any]) -> Result:
    """Return a test's result: failed where anything is bad, each a line of its details."""
    more = [f"and {len(bad) - SHOWN:,} more"] if len(bad) > SHOWN else []
    verdict = Verdict.FAILED if bad else Verdict.PASSED
    return Result(name, verdict, summary, (*bad[:SHOWN], *more), figures | {"failures": len(bad)})


@dataclass(frozen=True, slots=True)
class Report:
    """An audit of one path."""

    path: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> bool:
        """Whether any test failed."""
        return any(result.verdict is Verdict.FAILED for result in self.results)

    def to_json(self) -> str:
        """Return the report as JSON."""
        results = [asdict(result) | {"verdict": result.verdict.value} for result in self.results]
        return json.dumps({"version": 1, "path": self.path, "failed": self.failed, "results": results}, indent=1) + "\n"

    def to_markdown(self) -> str:
        """Return the report as Markdown."""
        rows = [f"| {r.name} | {r.verdict} | {_cell(r.summary)} |" for r in self.results]
        more = [
            f"\n## {r.name}\n\n" + "".join(f"- `{_code(detail)}`\n" for detail in r.details)
            for r in self.results
            if r.details
        ]
        head = f"# Audit of `{_code(self.path)}`\n\n| test | verdict | why |\n| --- | --- | --- |\n"
        return head + "".join(f"{row}\n" for row in rows) + "".join(more)


def _cell(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_[]<>|~&$" else _shown(c) for c in text)


def _code(text: str) -> str:
    return "".join(map(_shown, text)).replace("`", "'")


def _shown(character: str) -> str:
    return character if character.isprintable() else "\ufffd"

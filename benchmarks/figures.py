"""What a benchmark finds: figures, each with the bar it is held against, and the logs that they are measured on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from logblur.bench.sample import Sample
from logblur.policy import load_policy
from logblur.policy.resolve import resolve

from . import data


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement.

    Attributes:
        what: In words.
        value: The figure.
        unit: ``x`` for a ratio within one run, ``s`` for seconds, ``MB`` for megabytes.
        bar: What it should be, or None.
        better: Whether more or less is better: at least the bar, or at most.
        detail: What else to know: rates, versions, what a rival leaves out.
    """

    what: str
    value: float
    unit: Literal["x", "s", "MB"]
    bar: float | None = None
    better: Literal["more", "less"] = "more"
    detail: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is none."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.better == "more" else self.value <= self.bar

    def to_json(self) -> dict[str, Any]:
        """Return the figure by name."""
        return asdict(self) | {"met": self.met}


@dataclass(frozen=True)
class Scale:
    """How much is measured, and where logs are kept meanwhile.

    Attributes:
        folder: For logs and what processes write; they stay there for the next figure.
        lines: Lines of the log that stages are measured on.
        rounds: Repetitions, of which medians are taken.
        busy_s: Seconds that a process should at least be busy: it is given more lines until it is.
    """

    folder: Path
    lines: int = 1_000_000
    rounds: int = 5
    busy_s: float = 5.0

    def log(self, profile: str = "busy shop", *, lines: int | None = None, suffix: str = ".log") -> Path:
        """Return a log of the seeded generator, written on first use."""
        lines = self.lines if lines is None else lines
        path = self.folder / f"{profile.replace(' ', '-')}-{lines}{suffix}"
        if not path.exists():
            data.write(path, lines, 1, data.PROFILES[profile])
        return path

    def sample(self, profile: str = "busy shop", *, suffix: str = ".log") -> Sample:
        """Return the beginning of such a log in memory, to be read under the default policy."""
        plan = resolve(load_policy("audience"), format=data.PROFILES[profile].format)
        return Sample.of(self.log(profile, suffix=suffix), plan)

    @cached_property
    def shop(self) -> Sample:
        """The busy shop in memory."""
        return self.sample()


Figures = Callable[[Scale], "Sequence[Figure]"]

"""Measures everything and prints one table: ``python -m benchmarks``.

python -m benchmarks                          everything, about an hour
python -m benchmarks --short --against benchmarks/results/short.json
                                              the stages on 10^5 lines; fails where one fell under half of what it was
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logblur.bench.measure import Measured, machine, measure

from . import (
    bench_addresses,
    bench_audit,
    bench_classify,
    bench_filter,
    bench_formats,
    bench_parse,
    bench_read,
    bench_run,
)
from .data import PROFILES
from .figures import Figure, Figures, Scale

BENCHMARKS: Final[Mapping[str, Figures]] = {
    "read": bench_read.figures,
    "parse": bench_parse.figures,
    "formats": bench_formats.figures,
    "classify": bench_classify.figures,
    "addresses": bench_addresses.figures,
    "audit": bench_audit.figures,
    "run": bench_run.figures,
    "filter": bench_filter.figures,
}
"""By name; each gives its figures at a scale."""

SHORT: Final = 100_000


@dataclass(frozen=True, slots=True)
class Result:
    """What one call measured.

    Attributes:
        machine: Processor, system and versions.
        stages: By profile.
        figures: With their bars.
    """

    machine: Mapping[str, str]
    stages: Mapping[str, Sequence[Measured]]
    figures: Sequence[Figure]

    def to_json(self) -> dict[str, Any]:
        """Return all of it."""
        return {
            "machine": dict(self.machine),
            "stages": {profile: [one.to_json() for one in found] for profile, found in self.stages.items()},
            "figures": [figure.to_json() for figure in self.figures],
        }


def compared(result: Result, earlier: Mapping[str, Any], factor: float) -> list[str]:
    """Return a line for each stage whose ratio fell under a factor of the earlier one's.

    Publishing waits for the disk, with which no yardstick drifts: it is left out.
    """
    before = {
        (profile, one["stage"], one["yardstick"]): one["ratio"]
        for profile, found in earlier["stages"].items()
        for one in found
    }
    return [
        f"{profile}, {one.stage}: {one.ratio} of the {one.yardstick}, earlier {was}"
        for profile, found in result.stages.items()
        for one in found
        if one.stage != "publish"
        and (was := before.get((profile, one.stage, one.yardstick))) is not None
        and one.ratio < factor * was
    ]


def render(result: Result) -> str:
    """Return the table as Markdown."""
    lines = [
        "| profile | stage | MB/s | lines/s | of its yardstick | peak MB |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for profile, found in result.stages.items():
        lines += [
            f"| {profile} | {one.stage} | {one.megabytes_s:,.0f} | {one.lines_s:,.0f} | {one.ratio} {one.yardstick} "
            f"| {one.peak_mb or ''} |"
            for one in found
        ]
    if result.figures:
        lines += ["", "| what | figure | bar | met | |", "| --- | --- | --- | --- | --- |"]
    for figure in result.figures:
        bar = "" if figure.bar is None else f"at {'least' if figure.better == 'more' else 'most'} {figure.bar:g}"
        met = {None: "", True: "yes", False: "**no**"}[figure.met]
        lines.append(f"| {figure.what} | {figure.value:g} {figure.unit} | {bar} | {met} | {figure.detail} |")
    lines += ["", *(f"{name}: {value}" for name, value in result.machine.items())]
    return "\n".join(lines)


def main(args: Sequence[str] | None = None) -> int:
    """Measure as the command line says; return 1 where a stage got slower than it may."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure every stage, and the bars.")
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="these alone (default: all)")
    parser.add_argument("--short", action="store_true", help="the stages alone, on 100,000 lines of two profiles")
    parser.add_argument("--lines", type=int, default=1_000_000, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="medians over so many (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--against", type=Path, metavar="FILE", help="an earlier result: fail where a ratio fell")
    parser.add_argument("--factor", type=float, default=0.5, help="… under this share of it (default: %(default)s)")
    options = parser.parse_args(args)
    profiles = ("busy shop", "json") if options.short else tuple(PROFILES)
    with tempfile.TemporaryDirectory(prefix="logblur-benchmarks-") as folder:
        scale = Scale(Path(folder), SHORT if options.short else options.lines, options.rounds)
        wanted = () if options.short else options.names or BENCHMARKS
        stages: dict[str, tuple[Measured, ...]] = {}
        if options.short or not options.names:
            for profile in profiles:
                print(f"stages, {profile} …", file=sys.stderr)
                stages[profile] = tuple(measure(scale.sample(profile), rounds=scale.rounds))
        figures: list[Figure] = []
        for name in wanted:
            print(f"{name} …", file=sys.stderr)
            figures += BENCHMARKS[name](scale)
    result = Result(machine(), stages, figures)
    print(render(result))
    if options.json:
        options.json.write_text(json.dumps(result.to_json(), indent=1) + "\n")
    if options.against:
        slower = compared(result, json.loads(options.against.read_text()), options.factor)
        print("\n".join(f"slower: {line}" for line in slower), file=sys.stderr)
        return int(bool(slower))
    return 0


if __name__ == "__main__":
    sys.exit(main())

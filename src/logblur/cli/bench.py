"""``logblur bench``."""

from __future__ import annotations

from pathlib import Path

import click

from logblur.cli.options import format_option, policy_option
from logblur.cli.words import printable, put, say


@click.command(epilog="Example: logblur bench sample_logs/combined.log")
@click.argument("log", required=False, type=click.Path(path_type=Path))
@policy_option
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def bench(log: Path | None, policy: str, format_: str | None, as_json: bool) -> None:
    """Time each stage of a run on this machine, on the first 256 MB of LOG or on made-up lines.

    Ratios are to yardsticks measured in the same run, on the same bytes. Nothing is published, nothing leaves the
    machine, and nothing of the log is shown.
    """
    import json
    import tempfile

    from logblur.bench.measure import machine, measure
    from logblur.bench.sample import Sample, make_up
    from logblur.policy import load_policy
    from logblur.policy.resolve import resolve

    plan = resolve(load_policy(policy), format=format_)
    if log is None:
        say("no LOG given: made-up lines, which flatter every stage")
    with tempfile.TemporaryDirectory(prefix="logblur-bench-") as folder:
        found = list(measure(Sample.of(log or make_up(Path(folder) / "log"), plan)))
    if as_json:
        put(json.dumps({"machine": machine(), "stages": [one.to_json() for one in found]}) + "\n")
        return
    lines = [f"{'stage':<10}{'MB/s':>9}{'lines/s':>12}{'peak MB':>9}  speed as a share of"]
    for one in found:
        rates = f"{one.megabytes_s:>9,.0f}{one.lines_s:>12,.0f}{one.peak_mb or 0:>9.0f}"
        lines.append(f"{one.stage:<10}{rates}  {one.ratio:.3f} {one.yardstick}")
    lines += [f"{name}: {value}" for name, value in machine().items()]
    put("".join(f"{printable(line)}\n" for line in lines))

"""``logblur inspect``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from logblur.cli.options import format_option
from logblur.cli.words import printable, put

if TYPE_CHECKING:
    from logblur.inspection import Inspection

UNREADABLE = 2
"""Exit code where no known format fits: as for a `FormatError`."""


@click.command(epilog="Example: logblur inspect sample_logs/combined.log")
@click.argument("log")
@format_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of words.")
@click.pass_context
def inspect(context: click.Context, log: str, format_: str | None, as_json: bool) -> None:
    """Say which format a LOG is in, how much of it is readable, and what personal data it has."""
    from logblur.inspection import inspect as inspected

    found = inspected(log, format=format_)
    lines = [json.dumps(found.to_json())] if as_json else map(printable, _lines(found))
    put("".join(f"{line}\n" for line in lines))
    if found.format is None:
        context.exit(UNREADABLE)


def _lines(found: Inspection) -> list[str]:
    share = found.parsed / found.lines if found.lines else 0.0
    return [
        f"format    {found.format or 'none that is known; name it with --format'}",
        f"lines     {found.lines:,}, {share:.2%} can be read",
        *(f"rejected  {count:,}: {reason}" for reason, count in found.rejects.items()),
        *([f"damage    {found.damage}"] if found.damage else []),
        *(f"guess     {share:.2%}: {name}" for name, share in found.ranking),
        *(f"column    {name}: {shape}" for name, shape in found.sample.items()),
        *(
            f"data      {h.category}: {f'{h.kind} in ' if h.kind else ''}{h.field}, {h.lines:,} lines"
            for h in found.held
        ),
    ]

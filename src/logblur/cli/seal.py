"""``logblur seal``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logblur.cli.words import say

if TYPE_CHECKING:
    from datetime import datetime


@click.command(epilog="Example: logblur seal -o out --all-due")
@click.option("-o", "--out", required=True, metavar="OUT", help="The folder that the tables were written to.")
@click.option("--state", metavar="DIR", help="The private folder that OUT belongs to; by default one for each OUT.")
@click.option("--all-due", is_flag=True, help="Seal every day whose time has come: what happens without --day too.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), metavar="D", help="Seal this day now, such as 2026-05-17.")
def seal(*, out: str, state: str | None, all_due: bool, day: datetime | None) -> None:
    """Publish days for the last time and destroy their keys, with all that was kept of their visitors.

    Every run does this for the days that are due; this does it without a log. Lines of a sealed day that come later
    count nowhere.
    """
    if all_due and day:
        raise click.UsageError("--all-due and --day exclude each other")
    from logblur.pipeline import seal as sealed

    days = sealed(out, state=state, day=day.date() if day else None)
    for one in days:
        say(f"{one} is sealed")
    if not days:
        say("this day was sealed before" if day else "no day is due")

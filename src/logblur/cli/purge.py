"""``logblur purge``."""

from __future__ import annotations

import click

from logblur.cli.words import say


@click.command(epilog="Example: logblur purge -o out --dry-run")
@click.argument("logs", nargs=-1, metavar="[LOG]...")
@click.option("-o", "--out", required=True, metavar="OUT", help="The folder that the tables were written to.")
@click.option("--state", metavar="DIR", help="The private folder that OUT belongs to; by default one for each OUT.")
@click.option(
    "-p",
    "--policy",
    metavar="POLICY",
    help="A policy whose retention holds where it is shorter than that of a day, and whose delete_logs lets logs go.",
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and remove nothing.")
def purge(*, logs: tuple[str, ...], out: str, state: str | None, policy: str | None, dry_run: bool) -> None:
    """Remove what need not be kept: published days past their retention, and raw logs where the policy lets them go.

    Every run does this too. A log goes only if it is named here (LOG is a file, a folder or a glob), the policy has
    delete_logs, every byte of it is counted, every day in it is sealed, and no program has it open for writing.
    """
    from logblur.pipeline import purge as purged

    gone = purged(out, logs, state=state, policy=policy, dry_run=dry_run)
    verb = "would go" if dry_run else "is gone"
    for day in gone.days:
        say(f"{day} {verb}: its retention is over")
    for log in gone.logs:
        say(f"{log} {verb}: all of it is counted, and its days are sealed")
    if not gone.days and not gone.logs:
        say("there is nothing to remove")

"""``logblur filter``: the same lines, protected."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import click

from logblur.cli.options import policy_option
from logblur.cli.words import nulled_lines, say

if TYPE_CHECKING:
    from logblur.filtering import Stop


@click.command(
    name="filter",
    epilog="Example: zcat access.log.2.gz | logblur filter -p records > protected.log",
)
@click.argument("logs", nargs=-1, metavar="[LOG]...")
@policy_option
@click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    help="Read and write lines in this format, whatever the policy says: a name, a server's own format string, or "
    "text: free text, such as error logs, in which addresses and e-mail addresses are replaced.",
)
@click.option(
    "--rejects",
    type=click.Choice(["drop", "sweep"]),
    default="drop",
    show_default=True,
    help="What becomes of lines that do not fit the format: dropped, or treated as free text.",
)
@click.option(
    "--in-place",
    is_flag=True,
    help="Replace finished files; compression, owner, mode and time stay, whole or not at all.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but problems.")
def filter_(
    *,
    logs: tuple[str, ...],
    policy: str,
    format_: str | None,
    rejects: Literal["drop", "sweep"],
    in_place: bool,
    quiet: bool,
) -> None:
    """Print the same lines in the same format with protected values in place.

    LOG is a file (plain or compressed), a folder, a glob, or - for standard input, the default. What a policy does to
    a field is done here too; docs/filter.md says how it prints. Lines stay personal data: whoever has them can follow
    the requests of one client, with or without an address. Keep them as you keep the log.

    From a pipe each line comes out as soon as it is whole. The end of the input and SIGTERM end it with 0.
    """
    if in_place and not logs:
        raise click.UsageError("--in-place takes the files to replace")
    from logblur.filtering import Stop, filter_logs

    stop = Stop()
    with _until_sigterm(stop, in_place=in_place):
        summary = filter_logs(
            logs or ("-",), policy=policy, format=format_, rejects=rejects, in_place=in_place, stop=stop
        )
    if not quiet:
        formats = f" ({', '.join(dict.fromkeys(summary.formats))})" if summary.formats else ""
        counts = {"dropped": summary.dropped, "swept": summary.swept}
        said = [f"{count:,} {what}" for what, count in counts.items() if count]
        for line in (", ".join([f"{summary.lines:,} lines{formats}", *said]), *nulled_lines(summary.nulled)):
            say(line)


@contextmanager
def _until_sigterm(stop: Stop, *, in_place: bool) -> Iterator[None]:
    """Let SIGTERM end the input; a file that is being replaced stays as it was instead, as anywhere else."""
    if in_place:
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

"""``logblur audit``: attack an output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from logblur.cli.options import policy_option
from logblur.cli.words import printable, put, say

if TYPE_CHECKING:
    from pathlib import Path

    from logblur.privacy.report import Report


@click.command(epilog="Example: logblur audit out --raw sample_logs")
@click.argument("path")
@click.option("--raw", multiple=True, metavar="LOG", help="A raw log it was made of; a file, a folder or a glob.")
@click.option("--state", metavar="DIR", help="The private folder; by default the one that belongs to PATH.")
@policy_option
@click.option(
    "--seconds",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    metavar="N",
    help="How long hashes are tried on addresses that no raw log named.",
)
@click.option("--report", metavar="DIR", help="Write audit.json and audit.md there as well; never inside PATH.")
@click.pass_context
def audit(
    context: click.Context,
    *,
    path: str,
    raw: tuple[str, ...],
    state: str | None,
    policy: str,
    seconds: float,
    report: str | None,
) -> None:
    """Try to break an output: a published folder, or a Parquet, CSV, JSON or log file of any tool.

    Prints a table of tests with a verdict each. A test that lacks its input (raw logs, state, policy) is not run and
    fails nothing; figures are for people to judge. Ends with 6 when a test fails.
    """
    from pathlib import Path

    from logblur.errors import LeakError, UsageError
    from logblur.policy import load_policy
    from logblur.privacy.audit import audit as audited

    folder = None if report is None else Path(report).resolve()
    if folder is not None and folder.is_relative_to(Path(path).resolve()):
        raise UsageError("the report must not lie in what is published: give --report another folder")
    found = audited(
        Path(path),
        policy=load_policy(policy),
        promised=context.get_parameter_source("policy") is click.core.ParameterSource.COMMANDLINE,
        raw=raw,
        state=None if state is None else Path(state),
        seconds=seconds,
    )
    put(_rendered(found))
    if folder is not None:
        _save(found, folder)
        say(f"report: {folder}")
    if found.failed:
        context.exit(LeakError.exit_code)


def _rendered(report: Report) -> str:
    lines = [f"{'test':26}{'verdict':10}why"]
    for result in report.results:
        lines.append(f"{result.name:26}{result.verdict:10}{printable(result.summary)}")
        lines += [f"{'':36}{printable(detail)}" for detail in result.details]
    return "".join(f"{line}\n" for line in lines)


def _save(report: Report, folder: Path) -> None:
    from logblur import durable

    durable.make_folder(folder)
    for name, text in (("audit.json", report.to_json()), ("audit.md", report.to_markdown())):
        durable.write_file(folder / name, text.encode())

"""``logblur policy``: what a policy does, before it does it."""

from __future__ import annotations

import sys
from io import StringIO
from typing import TYPE_CHECKING

import click

from logblur.cli.options import format_option, policy_option
from logblur.cli.words import printable, put, say

if TYPE_CHECKING:
    from logblur.policy.explain import Explanation


@click.group(no_args_is_help=False, epilog="Example: logblur policy explain audience")
def policy() -> None:
    """What a policy does, before it does it."""


@policy.command(epilog="Example: logblur policy check audience")
@click.argument("policy", default="audience")
def check(policy: str) -> None:
    """Say whether a POLICY (a file or a built-in name) can be carried out and defended.

    Ends with 2 and one line that names the key at fault where it cannot.
    """
    from logblur.policy import load_policy
    from logblur.policy.resolve import resolve

    plan = resolve(load_policy(policy))
    say(f"{policy}: ok, {len(plan.tables)} tables, digest {plan.digest[:12]}")


@policy.command(epilog="Example: logblur policy show audience > my.toml")
@click.argument("name")
def show(name: str) -> None:
    """Print a built-in policy (audience, strict or records) as a start for one's own."""
    from logblur.policy.load import builtin_text

    put(builtin_text(name))


@policy.command(epilog="Example: logblur policy explain audience")
@click.argument("policy", default="audience")
def explain(policy: str) -> None:
    """Print what a POLICY (a file or a built-in name) makes of each field, kind of personal data, table and visitor."""
    from logblur.policy import load_policy
    from logblur.policy.explain import explain as explained
    from logblur.policy.resolve import resolve

    said = load_policy(policy)
    put(_rendered(explained(said, resolve(said))))


@policy.command(epilog="Example: logblur policy diff audience strict")
@click.argument("before")
@click.argument("after")
def diff(before: str, after: str) -> None:
    """Say what changes for the people concerned when policy AFTER takes the place of policy BEFORE.

    A line begins with + where more of people is kept, shown or told, with - where less is, else with a space.
    """
    from logblur.policy import load_policy
    from logblur.policy.diff import diff as differences

    signs = {"more": "+", "less": "-", "other": " "}
    changes = differences(load_policy(before), load_policy(after))
    put("".join(f"{signs[change.effect]} {printable(str(change))}\n" for change in changes))
    if not changes:
        say("nothing changes for the people concerned")


@policy.command(epilog="Example: logblur policy simulate sample_logs")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@policy_option
@format_option
@click.pass_context
def simulate(context: click.Context, logs: tuple[str, ...], policy: str, format_: str | None) -> None:
    """Say what a run over these logs would publish and roll up under a policy, and write nothing.

    The numbers are exact and for whoever holds the logs: do not publish them.
    """
    from logblur.policy import load_policy
    from logblur.simulation import simulate as simulated

    found = simulated(logs, policy=load_policy(policy), format=format_, on_notice=say)
    lines = [f"{'table':20}{'days':>8}{'withheld':>10}{'rows':>10}{'requests':>12}{'rolled up':>12}"]
    for name, table in found.tables.items():
        share = table.rolled_up / table.requests if table.requests else 0.0
        lines.append(f"{name:20}{table.days:8,}{table.withheld:10,}{table.rows:10,}{table.requests:12,}{share:12.1%}")
    put("".join(f"{line}\n" for line in lines))
    summary = found.summary
    say(f"{summary.rows:,} of {summary.lines:,} lines would count; nothing was written")
    for error in summary.errors:
        say(str(error))
    if summary.errors:
        context.exit(summary.errors[0].exit_code)


def _rendered(explanation: Explanation) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def text(value: str) -> Text:  # no markup: a policy's words are data
        return Text(printable(value))

    def table(*columns: str) -> Table:
        return Table(*columns, box=None, pad_edge=False, header_style="bold")

    fields = table("field", "method", "becomes", "columns", "reason")
    for field in explanation.fields:
        fields.add_row(*map(text, (field.name, field.method, field.becomes, ", ".join(field.columns), field.reason)))
    held = table("category", "data", "becomes", "purpose", "legal basis", "kept")
    for kind in explanation.held:
        held.add_row(*map(text, (kind.category, kind.data, kind.becomes, kind.purpose, kind.legal_basis, kind.kept)))
    tables = table("table", "counts", "by", "measures", "min_clients")
    own = []
    for entry in explanation.tables:
        if (entry.purpose, entry.legal_basis) != (explanation.purpose, explanation.legal_basis):
            own.append(f"The table {entry.table.name} is for {entry.purpose}, on the basis of {entry.legal_basis}.")
        plan = entry.table
        counts, by, measures = f"{plan.where}: {entry.counts}", ", ".join(plan.by), ", ".join(plan.measures)
        tables.add_row(*map(text, (plan.name, counts, by, measures, str(plan.min_clients))))

    shown = sys.stdout.isatty()
    page = StringIO()
    console = Console(file=page, force_terminal=shown, width=None if shown else 120, highlight=False)
    for name, value in (
        ("policy", f"{explanation.name}, digest {explanation.digest}"),
        ("purpose", explanation.purpose),
        ("legal basis", explanation.legal_basis),
        ("retention", explanation.retention),
    ):
        console.print(text(f"{name:12}{value}"), soft_wrap=True)
    console.print()
    console.print(fields)
    console.print()
    console.print(held)
    console.print()
    console.print(tables if explanation.tables else text("no tables: for records alone, which stay personal data"))
    console.print()
    for sentence in (*own, *explanation.signals, *explanation.tokens):
        console.print(text(sentence), soft_wrap=True)
    return "".join(f"{line.rstrip()}\n" for line in page.getvalue().splitlines())

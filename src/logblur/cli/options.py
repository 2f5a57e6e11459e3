"""Options that several commands share."""

from __future__ import annotations

import click

policy_option = click.option(
    "-p",
    "--policy",
    default="audience",
    show_default=True,
    metavar="POLICY",
    help="A policy file, or a built-in name: audience, strict, records.",
)

format_option = click.option(
    "--format",
    "format_",
    metavar="FORMAT",
    help="Read logs in this format, whatever the policy says: a name, or an Apache LogFormat string.",
)

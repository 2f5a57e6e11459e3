"""Write docs/cli.md from the help texts: ``python docs/make_cli.py``. A test says when it is stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from logblur.cli import logblur

PAGE = Path(__file__).with_name("cli.md")

HEAD = """\
# The command line

Made from `--help` by `docs/make_cli.py`; change the help texts, not this page.

Data goes to files or stdout, words and progress to stderr. Exit codes: 0 done, 1 bug, 2 usage, policy or format,
3 keys, 4 input, 5 output or state, 6 leak or failed audit, 7 another run holds the lock, 130 Ctrl-C, 143 SIGTERM.
"""


def page() -> str:
    """Return the page: each command with its help."""
    return HEAD + "".join(f"\n## {name}\n\n```text\n{text}\n```\n" for name, text in _helps(logblur, None))


def _helps(command: click.Command, parent: click.Context | None) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command, info_name=command.name, parent=parent, terminal_width=100, **command.context_settings
    )
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            yield from _helps(command.commands[name], context)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")

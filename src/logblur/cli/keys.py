"""``logblur keys``: make, list and destroy keys; their ids are shown, never they."""

from __future__ import annotations

import click

from logblur.cli.words import printable, put, say

_out = click.option("-o", "--out", required=True, metavar="OUT", help="The folder that the tables were written to.")
_state = click.option("--state", metavar="DIR", help="The private folder that OUT belongs to.")
_policy = click.option("-p", "--policy", metavar="POLICY", help="A policy file that names keys under [keys].")


@click.group(no_args_is_help=False, epilog="Example: logblur keys list -o out")
def keys() -> None:
    """Make, list and destroy keys: those of days, and those that a policy names under [keys].

    Keys are told by their ids, which may be published; no command shows a key. See docs/keys.md.
    """


@keys.command(epilog="Example: logblur keys new /etc/logblur/archive.key --bytes 32")
@click.argument("key")
@_policy
@click.option(
    "--bytes",
    "size",
    type=click.Choice(["16", "32"]),
    help="How long it is; by default what the method takes that the policy gives it to, else 32.",
)
def new(*, key: str, policy: str | None, size: str | None) -> None:
    """Write a new random KEY where there is none: a file, or with -p the file of a key that the policy names.

    The file holds hex digits and is open to this user alone. A file that is there stays as it is: exit 5.
    """
    from logblur.pipeline.keyring import create_key

    path, length, made = create_key(key, policy=policy, size=int(size) if size else None)
    say(f"{path}: a new key of {length} bytes, id {made}")


@keys.command("list", epilog="Example: logblur keys list -o out -p my.toml")
@_out
@_state
@_policy
def list_(*, out: str, state: str | None, policy: str | None) -> None:
    """Print a line for each key: whose, its name, its id, its state, and when and why it was destroyed.

    Days of OUT come first, then the operator's: those of the policy, and those that were destroyed here.
    """
    from logblur.pipeline import now
    from logblur.pipeline.keyring import list_keys

    rows = [("kind", "name", "id", "state", "destroyed", "reason")]
    for one in list_keys(out, state=state, policy=policy, clock=now):
        at = f"{one.at:%Y-%m-%d %H:%M} UTC" if one.at else "-"
        rows.append((one.kind, one.name, one.id or "-", one.state, at, one.reason or "-"))
    widths = [max(len(printable(row[column])) for row in rows) for column in range(5)]
    for row in rows:
        cells = [printable(cell).ljust(width) for cell, width in zip(row, widths, strict=False)]
        put("  ".join([*cells, printable(row[5])]) + "\n")


@keys.command(epilog="Example: logblur keys destroy 2026-05-17 -o out --reason 'a visitor objected'")
@click.argument("key")
@_out
@_state
@_policy
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line; it is recorded with key id and time.")
def destroy(*, key: str, out: str, state: str | None, policy: str | None, reason: str) -> None:
    """Destroy a KEY for ever: of a day, of that name in the policy, or of that id.

    A day is published for the last time and sealed, whether it is due or not. A key of the policy's goes with its file;
    what was made under it can then neither be read nor be made again. Copies of a key are out of reach.
    """
    from logblur.pipeline import now
    from logblur.pipeline.keyring import destroy_key

    gone = destroy_key(key, out, reason=reason, state=state, policy=policy, clock=now)
    say(f"{gone.name}: the key {gone.id} is destroyed" if gone else f"{key}: this key was destroyed before")

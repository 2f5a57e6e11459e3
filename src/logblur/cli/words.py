"""Words to people on stderr and data on stdout; nothing in the words that a terminal would obey."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final, TextIO

import click

from logblur.errors import OutputError

_NULLED: Final = {
    "remote_addr": "client is no address",
    "host": "host can be no name of a site",
    "referer": "referrer is no site of the web",
    "country": "client is unknown to the database of countries",
    "asn": "client is unknown to the database of owners",
}


def printable(text: str) -> str:
    r"""Return the text with every character that is not plainly visible as ``\xHH``, ``\uHHHH`` or ``\UHHHHHHHH``.

    File names and policies are other people's: an escape sequence or a change of writing direction in them must not
    reach a terminal. A byte of a file name that is not UTF-8 becomes ``\xHH`` too.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _escaped(ord(c)) for c in text)


def _escaped(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python carries as a lone surrogate (PEP 383)
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def nulled_lines(nulled: Mapping[str, int]) -> list[str]:
    """Return for each field a line: in how many lines of the logs nothing could be said of it, and why."""
    return [
        f"{count:,} lines whose {_NULLED.get(name, f'{name} has a value that their format cannot hold')}"
        for name, count in nulled.items()
    ]


def say(text: str) -> None:
    """Print one line on stderr. If nobody can read it, that is no error: the exit code says enough."""
    try:
        click.echo(printable(f"logblur: {text}"), err=True)
    except OSError:
        silence(sys.stderr)


def put(text: str) -> None:
    """Print data on stdout as it is.

    Raises:
        OutputError: It cannot be written; a reader who has left is a `BrokenPipeError` all the same.
    """
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        raise
    except OSError as error:
        silence(sys.stdout)
        raise OutputError(f"standard output cannot be written: {error.strerror}") from None


def silence(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, so that it does not fail once more when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)

"""``logblur warm``."""

from __future__ import annotations

import time

import click

from logblur.cli.words import say


@click.command(epilog="Example: logblur warm")
def warm() -> None:
    """Compile the kernels ahead, so that the first run does not.

    Needed once after an installation or an update; a run compiles what is missing by itself.
    """
    from logblur.pipeline import warm as compile_ahead

    started = time.perf_counter()
    compile_ahead()
    say(f"kernels are compiled ({time.perf_counter() - started:.1f} s)")

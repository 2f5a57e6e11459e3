"""The command line: options -> one library call -> a summary on stderr and an exit code.

One file a command. Command bodies import what they call, so that ``--help`` and ``--version`` import nothing heavy.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from logblur import __version__
from logblur.cli.audit import audit
from logblur.cli.bench import bench
from logblur.cli.ending import ended
from logblur.cli.filter import filter_
from logblur.cli.inspect import inspect
from logblur.cli.keys import keys
from logblur.cli.policy import policy
from logblur.cli.purge import purge
from logblur.cli.run import run
from logblur.cli.seal import seal
from logblur.cli.texts import balance, notice, record
from logblur.cli.warm import warm

__all__ = ["logblur", "main", "process"]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
    epilog="Example: logblur run sample_logs -o out",
)
@click.version_option(__version__, prog_name="logblur", message="%(prog)s %(version)s")
def logblur() -> None:
    """Raw web access logs in, statistics that may be kept out."""


for _command in (run, filter_, seal, purge, keys, inspect, policy, notice, record, balance, audit, bench, warm):
    logblur.add_command(_command)


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line with these arguments (those of the process by default) and return the exit code."""
    # Arrow's own allocator keeps what it was given back; the system's returns it
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    # Nothing here multiplies matrices: threads for that would only be started
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Other packages' plugins would see each policy; to look for them among all that is installed takes 15 ms
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    return ended(logblur, args)


class _WithoutPandas:
    """Finds no pandas. Arrow imports it where it is installed, to ask of what it is given whether pandas made it."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


def process() -> NoReturn:
    """Run the command line as a process of its own, to its end.

    All that it had to say is on disk by then: to take the interpreter apart would last half a second, and a signal
    meanwhile would print a traceback.
    """
    # What is imported lives on: to look for garbage among it as often as usual takes a twentieth of a short run
    gc.set_threshold(100_000, 20, 100)
    sys.meta_path.insert(0, _WithoutPandas)
    code = main()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)

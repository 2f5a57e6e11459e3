"""How a command ends: every exception becomes one line on stderr and an exit code here, and nowhere else."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

import click

from logblur import stopping
from logblur.cli.words import say, silence
from logblur.errors import LogblurError

BUG: Final = 1
INTERRUPTED: Final = 130
TERMINATED: Final = 143
PATIENCE: Final = 1.0
"""Seconds that a command has, from a signal on, to come to a place where it can stop."""

_SHOW_CURSOR: Final = "\r\x1b[?25h"  # a progress bar hides it
_PACKAGE: Final = Path(__file__).parents[1]


def ended(command: click.Command, args: Sequence[str] | None = None) -> int:
    """Run a command to its end and return the exit code (docs/design.md, section 7).

    Privacy:
        Of an exception that is not logblur's own only its type and place are told: its message may hold bytes of a log.
    """
    words = sys.argv[1:] if args is None else args
    try:
        with _signals():
            with command.make_context("logblur", list(words)) as context:
                command.invoke(context)
            sys.stdout.flush()
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        hint = f" (see {error.ctx.command_path} --help)" if isinstance(error, click.UsageError) and error.ctx else ""
        say(f"{error.format_message()}{hint}")
        return error.exit_code
    except LogblurError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:
        silence(sys.stdout)  # its reader has left, and had what it wanted
        return 0
    except (KeyboardInterrupt, click.Abort):
        say("interrupted")
        return INTERRUPTED
    except stopping.Stopped as stopped:
        word, code = _ENDS[signal.Signals(stopped.number)]
        say(word)
        return code
    except Exception as error:  # whatever is left is a bug of ours
        say(f"this is a bug of logblur: {type(error).__name__} at {_place(error)}; please report it")
        return BUG
    return 0


_ENDS: Final = {signal.SIGINT: ("interrupted", INTERRUPTED), signal.SIGTERM: ("terminated", TERMINATED)}


@contextmanager
def _signals() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end a command at the next place where it looks (`stopping.check`), or else after a second.

    It is another thread that waits that second: the main one may be within a library that does not come back for long,
    and runs no handler then. The end it makes is as sudden as SIGKILL, which harms neither state nor OUT.
    """
    wanted = [signal.SIGTERM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell lets background jobs ignore it
        wanted.append(signal.SIGINT)
    before = [(number, signal.signal(number, _note)) for number in wanted]
    incoming, outgoing = os.pipe()
    os.set_blocking(outgoing, False)
    other = signal.set_wakeup_fd(outgoing)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(incoming, ended), daemon=True)
    watch.start()
    try:
        yield
    finally:
        ended.set()
        signal.set_wakeup_fd(other)
        os.close(outgoing)
        watch.join()
        os.close(incoming)
        for number, handler in before:
            signal.signal(number, handler)
        stopping.forget()


def _note(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that there is a handler lets `_watch` hear of the signal."""


def _watch(incoming: int, ended: threading.Event) -> None:
    """Ask the command to stop when one of our signals comes, and end the process if it does not."""
    while heard := os.read(incoming, 1):
        if signal.getsignal(heard[0]) is not _note:
            continue  # a command has a meaning of its own for it
        word, code = _ENDS[signal.Signals(heard[0])]
        stopping.ask(heard[0])
        if ended.wait(PATIENCE):
            return
        with suppress(OSError):
            os.write(2, (_SHOW_CURSOR if os.isatty(2) else "").encode() + f"logblur: {word}\n".encode())
        os._exit(code)


def _place(error: BaseException) -> str:
    """Return where in logblur it happened: the innermost frame that is ours."""
    place = "an unknown place"
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE):
            place = f"{file.relative_to(_PACKAGE).as_posix()}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place

"""How a command ends: every exception becomes one line on stderr and an exit code here, and nowhere else."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final, NoReturn

import click

from logblur.cli.words import say, silence
from logblur.errors import LogblurError

BUG: Final = 1
INTERRUPTED: Final = 130
TERMINATED: Final = 143
_AGAIN: Final = 1.0  # seconds

_PACKAGE: Final = Path(__file__).parents[1]


def ended(command: click.Command, args: Sequence[str] | None = None) -> int:
    """Run a command to its end and return the exit code (docs/design.md, section 7).

    Privacy:
        Of an exception that is not logblur's own only its type and place are told: its message may hold bytes of a log.
    """
    words = sys.argv[1:] if args is None else args
    came: list[type[BaseException]] = []
    try:
        with _signals(came):
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
    except _TerminatedError:
        say("terminated")
        return TERMINATED
    except Exception as error:  # whatever is left is a bug of ours
        if came:  # or broke because a signal came in the middle of it
            terminated = came[0] is _TerminatedError
            say("terminated" if terminated else "interrupted")
            return TERMINATED if terminated else INTERRUPTED
        say(f"this is a bug of logblur: {type(error).__name__} at {_place(error)}; please report it")
        return BUG
    return 0


class _TerminatedError(BaseException):
    """SIGTERM came. No `Exception`, as `KeyboardInterrupt` is none: nobody on the way may take it for a failure."""


@contextmanager
def _signals(came: list[type[BaseException]]) -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, and let either come again each second until it does.

    Python raises in whatever runs just then. In a callback from a library, or while an object is freed, nobody takes
    it: it would be printed and forgotten, and a run that waits for a pipe would wait for ever. ``came`` says which did.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        if number != signal.SIGALRM:
            came.append(_TerminatedError if number == signal.SIGTERM else KeyboardInterrupt)
            signal.setitimer(signal.ITIMER_REAL, _AGAIN, _AGAIN)
        raise came[0]

    def lost(what: sys.UnraisableHookArgs) -> None:
        if what.exc_type not in came:
            unraisable(what)

    wanted = [signal.SIGTERM, signal.SIGALRM]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell lets background jobs ignore it
        wanted.append(signal.SIGINT)
    before = [(number, signal.signal(number, end)) for number in wanted]
    unraisable, sys.unraisablehook = sys.unraisablehook, lost
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = unraisable
        for number, handler in before:
            signal.signal(number, handler)


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

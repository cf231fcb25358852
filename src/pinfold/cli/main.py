"""Run one command and turn however it ended into a message and an exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import typer
from typer import TyperException

from pinfold.cli import exit_codes, groups
from pinfold.core.errors import PinfoldError


def run() -> NoReturn:
    """Run this process's command line and end the process."""
    _open_what_is_closed()
    # An import makes millions of small values and no cycles: at the usual threshold the collector would walk them
    # again and again, for a tenth of the whole time.
    gc.set_threshold(200_000, 20, 20)
    sys.exit(main(sys.argv[1:]))


def main(args: Sequence[str]) -> int:
    """Run one command line; give its exit code.  Nothing is raised, unless PINFOLD_DEBUG wants the traceback."""
    as_json = _wants_json(args)
    try:
        _call(list(args))
        sys.stdout.flush()
    except typer.Exit as exc:
        return exc.exit_code
    except TyperException as exc:
        _usage(exc, as_json)
        return exc.exit_code
    except PinfoldError as exc:
        _say(str(exc), exc.hint, exc.code, as_json)
        return exit_codes.exit_code(exc)
    except KeyboardInterrupt:
        _say("interrupted; nothing that was printed is lost", "", "INTERRUPTED", as_json)
        return exit_codes.INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return exit_codes.BROKEN_PIPE
    except OSError as exc:
        _say(_sentence(exc), "", "OS_ERROR", as_json)
        return exit_codes.FAILED
    except Exception as exc:  # the one broad except around main
        if os.environ.get("PINFOLD_DEBUG"):
            raise
        hint = "This is a mistake in pinfold.  Run it again with PINFOLD_DEBUG=1 to see where, and report that."
        _say(f"unexpected {type(exc).__name__}: {exc}", hint, "BUG", as_json)
        return exit_codes.BUG
    return exit_codes.OK


def _open_what_is_closed() -> None:
    """Put /dev/null where a standard stream is closed, before a file of the store gets its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, mode, closefd=False))


def _call(args: list[str]) -> None:
    program = groups.program()
    with program.make_context("pinfold", args) as context:
        program.invoke(context)


def _wants_json(args: Sequence[str]) -> bool:
    """Whether errors go out as JSON, known even when the command line could not be read."""
    before = list(args)[: list(args).index("--")] if "--" in args else args
    return "--json" in before


def _usage(error: TyperException, as_json: bool) -> None:
    if as_json:
        _say(error.format_message(), "", "USAGE", as_json)
    else:
        error.show()  # type: ignore[attr-defined]  # every exception that typer raises has it


def _say(message: str, hint: str, code: str, as_json: bool) -> None:
    """Print an error to standard error, behind what already stands on standard output."""
    try:
        sys.stdout.flush()
    except OSError:
        _forget_stdout()  # nobody reads it, or its disk is full: what could not be written now never will be
    if as_json:
        import json

        sys.stderr.write(json.dumps({"error": message, "code": code, "hint": hint}) + "\n")
        return
    sys.stderr.write(f"Error: {message}\n")
    if hint:
        sys.stderr.write(f"Hint: {hint}\n")


def _sentence(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere, so that it has nothing to complain about."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

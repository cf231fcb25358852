"""The program as typer sees it: groups that load a command's module when it is called, not before."""

from __future__ import annotations

import inspect
import re
from contextlib import nullcontext
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from pinfold.cli import table
from pinfold.cli.coercion import lighten
from pinfold.cli.options import DataDir

_FLAG_WITH_VALUE: Final = re.compile(r"(--?[A-Za-z][A-Za-z-]*)=(true|false)")

_PROGRAM_HELP: Final = """\
Store, pin, verify and serve IPFS content, from one command.

\b
Example:
  pinfold add photos
  pinfold pin ls
  pinfold up
"""


class _Light:
    """What a command and a group have in common: parameters that cost little, ``--help`` included."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]  # of the class that this is mixed into
        lighten(params)
        return params


class Command(_Light, TyperCommand):
    """One command; flags may also be written ``--pin=false``, as Kubo's are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        plain = [word for given in args[:end] for word in self._without_value(given)]
        return super().parse_args(ctx, plain + args[end:])

    def format_options(self, ctx: Any, formatter: Any) -> None:
        # typer writes types such as <list[str]> beside arguments; the metavar says what a person needs
        arguments = [param for param in self.params if param.param_type_name == "argument"]
        with formatter.section("Arguments") if arguments else nullcontext():
            for param in arguments:
                repeats = "..." if param.nargs == -1 else ""
                formatter.write_dl(
                    [((param.metavar or param.name.upper()) + repeats, getattr(param, "help", "") or "")]
                )
        options = [param.get_help_record(ctx) for param in self.get_params(ctx) if param.param_type_name == "option"]
        with formatter.section("Options"):
            formatter.write_dl([record for record in options if record])

    def _without_value(self, word: str) -> list[str]:
        match = _FLAG_WITH_VALUE.fullmatch(word)
        if match is None:
            return [word]
        name, truth = match[1], match[2] == "true"
        for param in self.params:
            if getattr(param, "is_flag", False) and name in param.opts:
                if truth:
                    return [name]
                return list(param.secondary_opts[:1])  # a flag without a negative form is off when left out
        return [word]


class LazyGroup(_Light, TyperGroup):
    """A group whose commands stand in the table; each module is loaded when its command is wanted."""

    words = ""
    """How the group is called, behind the program's name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(table.below(self.words))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        words = f"{self.words} {cmd_name}".strip()
        return load(words) if words in table.COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        # typer suggests from what is loaded; here that is nothing, so names stand in
        self.commands = dict.fromkeys(table.below(self.words))  # type: ignore[assignment]  # only the names are read
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(table.below(self.words).items()))


def program() -> Any:
    """The whole command line, nothing of it loaded yet."""
    return _group("", _PROGRAM_HELP)


def load(words: str) -> Any:
    """The command or group that ``words`` call; its module is imported now."""
    row = table.COMMANDS[words]
    if not row.module:
        return _group(words, f"{row.line}\n\n\b\nExample:\n  pinfold {row.example}")
    app = _app()
    function = import_module(f"pinfold.cli.commands.{row.module}").command
    app.command(name=words.split()[-1], cls=Command, help=_keep_examples(function.__doc__ or ""))(function)
    return typer.main.get_command(app)


def _group(words: str, text: str) -> Any:
    app = _app()
    group = type("Group", (LazyGroup,), {"words": words})
    callback = _program_options if not words else _group_options
    app.callback(cls=group, help=text, no_args_is_help=True)(callback)
    return typer.main.get_command(app)


def _app() -> typer.Typer:
    # rich costs 100 ms of start-up, and its boxes cannot be piped
    return typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def _print_version(wanted: bool) -> None:
    if wanted:
        from pinfold.version import __version__

        typer.echo(f"pinfold {__version__}")
        raise typer.Exit


def _program_options(
    data_dir: DataDir = None,
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_print_version, is_eager=True),
) -> None:
    """Options before the command; commands ask for their values themselves."""


def _group_options(data_dir: DataDir = None) -> None:
    """Options between a group and its command."""


def _keep_examples(docstring: str) -> str:
    """The docstring as help: paragraphs with indented lines keep their line breaks."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(f"\b\n{text}" if "\n  " in text else text for text in paragraphs)

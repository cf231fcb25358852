"""The reference pages, made from the program: ``python -m tests.support.docs`` (``make docs``) writes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

from pinfold.cli import exit_codes, groups, table
from pinfold.settings import document

DOCS = Path(__file__).resolve().parents[2] / "docs"

_CLI_HEAD = """\
# The command line

What `--help` prints, for every command. A path is a CID, `CID/a/b`, `/ipfs/CID/a/b` or `ipfs://CID/a/b`. Flags may also
be written as Kubo's are (`--pin=false`). How each command can end stands in [exit-codes.md](exit-codes.md).
"""

_EXIT_HEAD = """\
# Exit codes

Tens are families, so `$? / 10` is enough for most scripts. The message on standard error is `Error: ...`, and
`Hint: ...` where there is something to try; with `--json` it is one object, `{"error", "code", "hint"}`.

| exit code | meaning |
|---:|---|
"""


def cli() -> str:
    """``docs/cli.md``."""
    parts = [_CLI_HEAD, _section("pinfold", "", "##")]
    for words in table.COMMANDS:
        parts.append(_section(f"pinfold {words}", words, "###" if " " in words else "##"))
    return "\n".join(parts)


def _section(title: str, words: str, heading: str) -> str:
    command = groups.load(words) if words else groups.program()
    context = command.context_class(command, info_name=title, terminal_width=100, help_option_names=["-h", "--help"])
    return f"{heading} `{title}`\n\n```text\n{command.get_help(context)}\n```\n"


def codes() -> str:
    """``docs/exit-codes.md``."""
    program = [f"| {code} | {meaning} |" for code, meaning in exit_codes.PROGRAM_CODES.items()]
    errors = [
        f"| {code} | `{cls.code}`: {inspect.cleandoc(cls.__doc__ or '').splitlines()[0]} |"
        for cls, code in exit_codes.ERROR_CODES.items()
        if code not in exit_codes.PROGRAM_CODES
    ]
    return _EXIT_HEAD + "\n".join(program) + "\n\n| exit code | error |\n|---:|---|\n" + "\n".join(errors) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": cli,
    "exit-codes.md": codes,
    "settings.md": document.markdown,
}


def main() -> None:
    """Write every page."""
    for name, text in PAGES.items():
        (DOCS / name).write_text(text(), encoding="utf-8")
        print(f"docs/{name}")


if __name__ == "__main__":
    main()

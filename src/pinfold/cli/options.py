"""Options that many commands have, and the node they open."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from pinfold import Node


def _inherited(ctx: typer.Context, value: Path | None) -> Path | None:
    """The value given nearest to the command; the same option may stand before it as well."""
    parent = ctx.parent
    while value is None and parent is not None:
        value = parent.params.get("data_dir")
        parent = parent.parent
    return value


DataDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        metavar="DIR",
        help="The data folder.  Default: PINFOLD_DATA_DIR, else this user's data folder.",
        callback=_inherited,
    ),
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, one object per line.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="Print CIDs only.")]
ContentPathArgument: TypeAlias = Annotated[
    str, typer.Argument(metavar="PATH", help="CID, CID/a/b, /ipfs/CID/a/b or ipfs://CID/a/b.")
]
ContentPathArguments: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="PATH", help="CID, CID/a/b, /ipfs/CID/a/b or ipfs://CID/a/b.")
]
ShowProgress: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress", help="Show a progress bar.  Default: only on a terminal.", show_default=False
    ),
]


def open_node(data_dir: Path | None) -> Node:
    """The node on the data folder that was asked for; use it in a ``with``."""
    import pinfold  # the node is loaded by the first command that needs it

    return pinfold.Node(data_dir)


def usage_error(message: str) -> typer.BadParameter:
    """What to raise when options or arguments do not fit together."""
    error = typer.BadParameter(message)
    error.format_message = lambda: message  # type: ignore[method-assign]  # without "Invalid value:" before it
    return error


def hash_code(name: str) -> int:
    """The code of a hash function named on the command line."""
    from pinfold.core import multihash

    return multihash.code_of(name)


def codec_code(name: str) -> int:
    """The code of a codec named on the command line.  Raises: UnknownCodec."""
    from pinfold.core.cid import CODEC_CODES
    from pinfold.core.errors import UnknownCodec

    if name not in CODEC_CODES:
        raise UnknownCodec(f"unknown codec {name!r}")
    return CODEC_CODES[name]


def byte_size(text: str) -> int:
    """Bytes from ``262144``, ``256KiB`` or ``1MB``."""
    import re

    units = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
    units |= {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    match = re.fullmatch(r"(\d+) ?([a-zA-Z]*)", text.strip())
    if match is None or match[2].lower() not in units:
        raise usage_error(f"{text!r} is no size; write bytes, or for example 256KiB")
    return int(match[1]) * units[match[2].lower()]


def words_or_lines(given: Iterable[str] | None) -> Iterable[str]:
    """The arguments, or one per line of standard input when there are none."""
    import sys

    if given:
        return given
    if sys.stdin.isatty():
        raise usage_error("give at least one argument, or one per line on standard input")
    return (line.strip() for line in sys.stdin if line.strip())

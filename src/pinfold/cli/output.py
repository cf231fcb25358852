"""What commands print: lines, JSON, sizes, and bytes that must not hit a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from pinfold.cli.options import usage_error

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | dict[str, "Json"] | None

_NAMED_ESCAPES: Final = {
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\v": "\\v",
}


def line(text: str = "") -> None:
    """Print one line."""
    sys.stdout.write(text + "\n")


def json_line(value: Json) -> None:
    """Print one JSON value on one line; bytes of names that are no UTF-8 stay lone surrogates."""
    import json

    sys.stdout.write(json.dumps(value, separators=(",", ":")) + "\n")


def note(text: str) -> None:
    """Say something that is not the answer: to standard error."""
    sys.stderr.write(text + "\n")


def printable(name: str) -> str:
    """A name as Kubo prints it: characters that would move the cursor, and bytes that are no text, are escaped."""
    if "\\" not in name and name.isprintable():
        return name
    return "".join(_escape(char) for char in name)


def _escape(char: str) -> str:
    if char in _NAMED_ESCAPES:
        return _NAMED_ESCAPES[char]
    if char.isprintable():
        return char
    point = ord(char)
    if 0xDC80 <= point <= 0xDCFF:  # surrogateescape: a byte that was no UTF-8
        return f"\\x{point - 0xDC00:02x}"
    if point < 0x80:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def columns(rows: Iterable[Sequence[str]]) -> None:
    """Print rows with their columns under each other, the last one as it is."""
    table = list(rows)
    if not table:
        return
    widths = [max(map(len, column)) for column in list(zip(*table, strict=True))[:-1]]
    write = sys.stdout.write
    for row in table:
        write(" ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]) + "\n")


def count(number: int, noun: str) -> str:
    """How many of something there are: ``1 block``, ``2 blocks``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def size(count: int) -> str:
    """Bytes for a person: ``5 B``, ``1.5 KiB``, ``2.0 GiB``."""
    if count < 1024:
        return f"{count} B"
    amount, units = count / 1024, ["KiB", "MiB", "GiB", "TiB", "PiB"]
    while amount >= 1023.95 and len(units) > 1:  # from there on it would print as 1024.0
        amount /= 1024
        units.pop(0)
    return f"{amount:.1f} {units[0]}"


def both_sizes(count: int) -> str:
    """Bytes exactly and for a person."""
    return f"{count} ({size(count)})" if count >= 1024 else str(count)


def binary_stdout(what: str) -> int:
    """The file descriptor of standard output, once it is known to be no terminal.  Raises: a usage error."""
    if sys.stdout.isatty():
        raise usage_error(f"{what} is binary and would upset the terminal; write it to a file with > FILE")
    return text_stdout()


def text_stdout() -> int:
    """The file descriptor of standard output, with nothing left in the buffer before it."""
    sys.stdout.flush()
    return sys.stdout.fileno()

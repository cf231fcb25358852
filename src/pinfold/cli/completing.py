"""What a shell offers next: commands, options and their values.  Answers ``pinfold --complete WORD...``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from pinfold.cli import table

_HASHES: Final = ("sha2-256", "sha2-512", "sha3-256", "blake2b-256", "blake3")
# what options take where typer does not know it
_VALUES: Final[dict[str, tuple[str, ...]]] = {
    "--profile": ("unixfs-v1-2025", "unixfs-v0-2015"),
    "--chunker": ("size-262144", "size-1048576", "rabin", "buzhash"),
    "--hash": _HASHES,
    "--mhtype": _HASHES,
    "--cid-codec": ("raw", "dag-pb", "dag-cbor", "dag-json"),
    "--codec": ("raw", "dag-pb", "dag-cbor", "dag-json"),
    "-b": ("base32", "base36", "base58btc", "base16", "base64", "base64url"),
}


def answer(words: Sequence[str]) -> None:
    """Print ``word<TAB>meaning`` for everything that may stand in place of the last word."""
    *before, typed = words or [""]
    for word, meaning in offers(before, typed):
        sys.stdout.write(f"{word}\t{meaning}\n")


def offers(before: Sequence[str], typed: str) -> Iterator[tuple[str, str]]:
    """What may come behind ``before`` and begins with ``typed``."""
    command = ""
    for word in before:
        longer = f"{command} {word}".strip()
        if longer in table.COMMANDS:
            command = longer
    if command in table.COMMANDS and not table.is_group(command):
        candidates = _of_command(command, before[-1], typed)
    elif typed.startswith("-"):
        candidates = iter([("--data-dir", "The data folder."), ("--help", "Show help.")])
    else:
        candidates = iter(table.below(command).items())
    return ((word, meaning) for word, meaning in candidates if word.startswith(typed))


def _of_command(command: str, last: str, typed: str) -> Iterator[tuple[str, str]]:
    from pinfold.cli import groups

    params: list[Any] = groups.load(command).params
    taking = next((param for param in params if last in param.opts and not getattr(param, "is_flag", False)), None)
    if taking is not None:
        for value in _values(taking):
            yield value, ""
    elif typed.startswith("-"):
        for param in params:
            if param.param_type_name == "option":
                for option in (*param.opts, *param.secondary_opts):
                    if option.startswith("--"):
                        yield option, (param.help or "").split("\n")[0]
        yield "--help", "Show help."
    elif command == "completion":
        yield from (("bash", ""), ("zsh", ""), ("fish", ""))


def _values(param: Any) -> Sequence[str]:
    for name in param.opts:
        if name in _VALUES:
            return _VALUES[name]
    described = param.type_descriptor
    return [str(choice) for choice in described.choices] if described.is_choice else ()

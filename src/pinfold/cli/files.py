"""Files that commands write for people: whole under their name, or not there at all."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pinfold.cli.options import usage_error


@contextmanager
def replaced_when_whole(target: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes stand under ``target`` once the block ends well; otherwise nothing is left."""
    if target.exists() and not target.is_file():  # a pipe or device is written as it is
        with target.open("wb") as stream:
            yield stream
        return
    try:
        number, name = tempfile.mkstemp(prefix=f".{target.name[:64]}.", dir=target.parent)
    except OSError as exc:
        raise OSError(exc.errno, exc.strerror, str(target)) from exc  # the name that was asked for
    partial = Path(name)
    try:
        with os.fdopen(number, "wb") as stream:
            yield stream
        partial.chmod(0o666 & ~_umask())
        partial.replace(target)
    except BaseException:
        partial.unlink()
        raise


@contextmanager
def binary_input(name: str) -> Iterator[BinaryIO]:
    """The bytes of a file, or of standard input for ``-``.  Raises: SourceNotFound, SourceUnreadable, a usage error."""
    from pinfold.core.errors import SourceNotFound, SourceUnreadable

    if name == "-":
        if sys.stdin.isatty():
            raise usage_error("give a FILE, or pipe one into standard input")
        yield sys.stdin.buffer
        return
    try:
        stream = open(name, "rb")
    except FileNotFoundError:
        raise SourceNotFound(f"{name}: there is no such file") from None
    except OSError as exc:
        raise SourceUnreadable(f"{name}: {exc.strerror}") from exc
    with stream:
        yield stream


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

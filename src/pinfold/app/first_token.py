"""The first token of a server: shown on a terminal, else left in a file that only this user can read.

A program's standard output ends up in a journal or a container's log, where a token that may do everything does not
belong.

1. The file is written before the token is good for anything: a start that fails or is killed loses no token.
2. A start that finds the file, and a server without an administrator, makes the file's token good.  So processes that
   start at the same moment make one token, and the file has it.
3. The file stays until a person deletes it; each start reminds them.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pinfold.core.errors import StoreUnreadable, Unauthorised
from pinfold.services.accounts import AccountsService, new_token
from pinfold.telemetry import fields, logger

log = logger("app")

FILE_NAME: Final = "first-token"
_FORM: Final = re.compile(r"pf_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class FirstToken:
    """What a start has to say about the first token; nothing where it was made long ago."""

    shown: str | None = None
    """The token, made just now, for a terminal."""
    file: Path | None = None
    """The file that has the token, made just now."""


async def make_first_token(accounts: AccountsService, data_dir: Path, *, on_terminal: bool) -> FirstToken:
    """The first token, where the server has no administrator yet; shown on a terminal, else in a file.

    Raises:  StoreUnreadable, where the file cannot be written, or is none that only this user can read.
    """
    path = data_dir / FILE_NAME
    if not await accounts.is_unclaimed():
        await accounts.make_owner_token()  # gives the tokens of older versions, which had no users, to one
        if path.exists():
            log.warning("the file with the first token is still there; delete it", **{fields.PATH: str(path)})
        return FirstToken()
    is_there = path.exists()
    if on_terminal and not is_there:
        return FirstToken(shown=await accounts.make_owner_token())
    token = await asyncio.to_thread(_kept, path)
    if await accounts.make_owner_token(token) is None and not await _is_good(accounts, token):
        if not is_there:  # another process had made its own on a terminal
            path.unlink(missing_ok=True)
        return FirstToken()
    log.warning("the first token is in a file; keep it elsewhere and delete the file", **{fields.PATH: str(path)})
    return FirstToken(shown=token if on_terminal else None, file=path)


async def _is_good(accounts: AccountsService, token: str) -> bool:
    try:
        await accounts.authenticate(token)
    except Unauthorised:
        return False
    return True


def _kept(path: Path) -> str:
    """The token in the file, which is made where there is none."""
    try:
        if not path.exists():
            _write(path, new_token())
        return _read(path)
    except OSError as exc:
        raise StoreUnreadable(f"{path} cannot be written or read: {exc.strerror}") from exc


def _write(path: Path, token: str) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(token + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process's is as good
            os.link(partial, path)  # whole or not at all, and over nothing
    finally:
        partial.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> str:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), encoding="ascii", errors="replace") as file:
        found = os.fstat(file.fileno())
        token = file.read(100).strip()
    is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    if not is_ours or not _FORM.fullmatch(token):
        raise StoreUnreadable(f"{path} is no token that only this user can read", hint="Delete it, and start again.")
    return token

"""A data folder and a database belong together: with another one, all that is kept would be taken for forgotten.

Both bear the same id, given at their first start.  Where only one of them bears it, or none does, one may be new, lost
or wrong, or from a backup that left it out.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from pinfold.core.errors import StoreUnreadable, WrongDatabase
from pinfold.core.pin import PLATFORM_PIN_NAME, PinMode
from pinfold.db import Database, data_folder
from pinfold.node import Node
from pinfold.store.private import opener

FILE_NAME: Final = "platform.id"
ANEW: Final = "anew"
"""In the place of the id: the database may forget all that the platform kept in the folder."""
_PAGE: Final = 1000


def require_belonging(data_dir: Path, node: Node, database: Database) -> None:
    """Make sure that the folder and the database belong together; at their first start, make it so.

    1. Where both bear an id, it has to be the same.
    2. Where one of them bears none, it is new, or from before there were ids, or a backup that left the id out.  What
       the folder keeps for the platform tells: a database that does not know it would have it unpinned.
    3. Whoever wants just that writes ``anew`` in the place of the folder's id.  Killed before the folder bears the
       database's new id, the word is still there.
    4. Else the folder's id is written before the database's: killed between, the next start finds a folder with an id
       and a database that was never used with one.

    Raises:  WrongDatabase, StoreUnreadable.
    """
    path = data_dir / FILE_NAME
    ours, theirs = _read(path), database.everybody.read_now(data_folder.bound_to)
    if theirs is not None:
        if ours in (None, ANEW):
            if not (ours is None and _is_copy(node, database)):
                _require_unused(data_dir, database)
                _require_known(path, node, database, may_forget=ours == ANEW)
            _write(path, theirs)
        elif ours != theirs:
            raise WrongDatabase(
                f"{data_dir} and this database do not belong together",
                hint="Set --data-dir and PINFOLD_DATABASE_URL to two that were used with each other.",
            )
    elif ours == ANEW:
        theirs = str(uuid.uuid4())
        database.everybody.write_now(data_folder.bind, theirs)
        _write(path, theirs)
    else:
        _require_known(path, node, database)
        if ours is None:
            ours = str(uuid.uuid4())
            _write(path, ours)
        database.everybody.write_now(data_folder.bind, ours)


def _require_unused(data_dir: Path, database: Database) -> None:
    if database.everybody.read_now(data_folder.has_pins):
        raise WrongDatabase(
            f"this database belongs to another data folder than {data_dir}, where its content lies",
            hint="Set --data-dir or PINFOLD_DATA_DIR to the folder that it was used with.",
        )


def _require_known(path: Path, node: Node, database: Database, *, may_forget: bool = False) -> None:
    """Make sure that the database knows some of what the folder keeps for the platform, where that is anything."""
    if may_forget:
        return
    keeps_something = False
    for roots in _kept(node):
        keeps_something = True
        if database.everybody.read_now(data_folder.count_known, roots):
            return
    if keeps_something:
        raise WrongDatabase(
            f"{path.parent} belongs to another database than this one, which knows nothing of what is kept there",
            hint="Set PINFOLD_DATABASE_URL to the database that it was used with, or restore that one's backup. "
            f"Only to begin anew, and let go of all that the platform kept: write the word {ANEW} into {path}.",
        )


def _is_copy(node: Node, database: Database) -> bool:
    """Whether the folder is of this database, its id left out: of the first of its pins most are known."""
    roots = next(_kept(node), [])
    return database.everybody.read_now(data_folder.count_known, roots) * 2 > len(roots)


def _kept(node: Node) -> Iterator[list[str]]:
    """The roots that the platform keeps there, some at a time."""
    ours = (str(pin.cid.to_v1()) for pin in node.pin_ls(mode=PinMode.RECURSIVE) if pin.name == PLATFORM_PIN_NAME)
    while roots := list(islice(ours, _PAGE)):
        yield roots


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise StoreUnreadable(f"{path} cannot be read: {exc}") from exc


def _write(path: Path, folder_id: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(partial, "w", encoding="ascii", opener=opener) as file:
            file.write(folder_id + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as exc:
        raise StoreUnreadable(f"{path} cannot be written: {exc.strerror}") from exc

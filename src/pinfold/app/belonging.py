"""A data folder and a database belong together: with another one, all that is kept would be taken for forgotten.

Both bear the same id, given at their first start.  Where only one of them bears it, the other is new, lost or wrong.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Final

from pinfold.core.errors import StoreUnreadable, WrongDatabase
from pinfold.core.pin import PLATFORM_PIN_NAME, PinMode
from pinfold.db import Database, data_folder
from pinfold.node import Node

FILE_NAME: Final = "platform.id"


def require_belonging(data_dir: Path, node: Node, database: Database) -> None:
    """Make sure that the folder and the database belong together; at their first start, make it so.

    1. The folder's id is written before the database's: killed between, the next start finds a folder with an id and a
       database that was never used with one.
    2. Such a database is taken where it knows of pins, or where the folder keeps none for the platform.

    Raises:  WrongDatabase, StoreUnreadable.
    """
    path = data_dir / FILE_NAME
    ours, theirs = _read(path), database.everybody.read_now(data_folder.bound_to)
    if ours is None and theirs is not None:
        if database.everybody.read_now(data_folder.has_pins):
            raise WrongDatabase(
                f"this database belongs to another data folder than {data_dir}, where its content lies",
                hint="Set --data-dir or PINFOLD_DATA_DIR to the folder that it was used with.",
            )
        _write(path, theirs)
    elif ours is None:
        ours = str(uuid.uuid4())
        _write(path, ours)
        database.everybody.write_now(data_folder.bind, ours)
    elif theirs is None:
        if _keeps_something(node) and not database.everybody.read_now(data_folder.has_pins):
            raise WrongDatabase(
                f"{data_dir} belongs to another database than this one, which is empty",
                hint="Set PINFOLD_DATABASE_URL to the database that it was used with, or restore that one's backup. "
                f"Only to begin anew, and let go of all that the platform kept: remove {path}.",
            )
        database.everybody.write_now(data_folder.bind, ours)
    elif ours != theirs:
        raise WrongDatabase(
            f"{data_dir} and this database do not belong together",
            hint="Set --data-dir and PINFOLD_DATABASE_URL to two that were used with each other.",
        )


def _keeps_something(node: Node) -> bool:
    return any(pin.name == PLATFORM_PIN_NAME for pin in node.pin_ls(mode=PinMode.RECURSIVE))


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
        with partial.open("w", encoding="ascii") as file:
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

"""Names that a folder of a DAG has, looked at before anything is written under them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from pinfold.core.cid import CID
from pinfold.core.errors import UnsafeName
from pinfold.unixfs.dag import Get
from pinfold.unixfs.read import list_directory

PERMISSIONS: Final = 0o777
"""What is taken of a mode: nobody gets a set-uid program by fetching a folder."""


def is_safe(name: bytes) -> bool:
    """Whether these bytes are one name in one folder, and nothing that leads elsewhere."""
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


def entries_of(cid: bytes, read: Get) -> Iterator[tuple[bytes, bytes]]:
    """Names and CIDs of a folder, each checked before it is given.

    Raises:  UnsafeName for one that is no name or comes twice; what ``list_directory`` raises.
    """
    seen: set[bytes] = set()
    for name, child, _ in list_directory(cid, read):
        if not is_safe(name):
            raise UnsafeName(f"{CID.from_bytes(cid)} has an entry {os.fsdecode(name)!r}, which is no name for a file")
        if name in seen:
            raise UnsafeName(f"{CID.from_bytes(cid)} has two entries {os.fsdecode(name)!r}")
        seen.add(name)
        yield name, child

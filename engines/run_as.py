"""Who a server runs as: PostgreSQL refuses root, so root hands it to someone without rights."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


class ServerFailed(Exception):
    """A server that did not start, or ended by itself; ``str()`` says why, with its last lines."""


class User:
    """Ourselves, or, where we are root and the server refuses root, the first of ``names`` that this machine has.

    ``name``, ``group`` and ``extra_groups`` are what ``subprocess`` takes; None stands for ourselves.
    """

    def __init__(self, *names: str) -> None:
        """Choose.  Raises: ServerFailed, when we are root and the machine has none of ``names``."""
        self.name: int | None = None
        self.group: int | None = None
        self.extra_groups: list[int] | None = None
        if os.geteuid() != 0 or not names:
            return
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        chosen = next((known[name] for name in names if name in known), None)
        if chosen is None:
            raise ServerFailed(f"root may not run this server, and this machine has no user {' or '.join(names)}")
        self.name, self.group, self.extra_groups = chosen.pw_uid, chosen.pw_gid, []

    def own(self, path: Path) -> None:
        """Give a file or folder to this user."""
        if self.name is not None and self.group is not None:
            os.chown(path, self.name, self.group)

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may pass through ``folder`` and every folder above it, by their permission bits."""
        if self.name is None:
            return True
        for step in (folder, *folder.parents):
            status = step.stat()
            shift = 6 if status.st_uid == self.name else 3 if status.st_gid == self.group else 0
            if not (status.st_mode >> shift) & 0o1:
                return False
        return True

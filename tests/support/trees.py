"""Folders on disk that have one of everything, and how two folders are compared."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

from tests.support.dags import noise

NAMES = [
    "plain.txt",
    " spaces round it ",
    "...dots",
    "percent%20sign",
    "question?mark#and&more",
    "quotes\"'`",
    "back\\slash",
    "tab\tin it",
    "-dash",
    "--",
    "café",
    "cafe\u0301",
    "Ελληνικά",
    "Русский",
    "עברית",
    "العربية",
    "हिन्दी",
    "ไทย",
    "한국어",
    "日本語",
    "🦊🐄",
    "👩\u200d👩\u200d👧",
    "\u202eright to left",
    "x" * 255,
    "中" * 85,
    "A",
    "a",
    "~",
]
BYTE_NAMES = [b"\xff", b"caf\xe9", b"\x80\x81", b"half \xe4\xb8"]
"""Names that no UTF-8 reader reads, which file systems have all the same."""


def write(path: Path, content: bytes, mode: int = 0o644) -> Path:
    """A file, the folders above it made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def write_everything(root: Path) -> Path:
    """Names in every script, sizes small and large, nested and empty folders, links, hidden names and exec bits."""
    for name in NAMES:
        write(root / "names" / name, name.encode())
    for raw in BYTE_NAMES:
        write(root / "bytes" / os.fsdecode(raw), raw)
    write(root / "empty", b"")
    write(root / "one", b"1")
    write(root / "tool", b"#!/bin/sh\n", 0o755)
    write(root / "large", noise(1, 300_000))
    write(root / "same" / "large", noise(1, 300_000))
    write(root / "a" / "b" / "c" / "d" / "deep", b"deep")
    (root / "a" / "nothing").mkdir()
    (root / "a" / "link").symlink_to("b/c/d/deep")
    (root / "a" / "broken").symlink_to("../nowhere at all")
    (root / "a" / "to folder").symlink_to("b")
    write(root / ".hidden", b"hidden")
    write(root / "a" / ".also" / "hidden", b"hidden below")
    write(root / "skip.log", b"left out by a pattern")
    write(root / "a" / "skip.log", b"left out by a pattern, below")
    return root


def write_metadata(root: Path) -> None:
    """Give everything in a folder a mode and a time of its own, the folder too."""
    for number, path in enumerate(sorted(root.rglob("*"), key=os.fsencode)):
        if not path.is_symlink():
            path.chmod((0o600, 0o644, 0o755, 0o640)[number % 4] | (0o700 if path.is_dir() else 0))
    for number, path in enumerate([*sorted(root.rglob("*"), key=os.fsencode), root]):
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + number), follow_symlinks=False)


class Seen(NamedTuple):
    """What a comparison of folders looks at."""

    kind: str
    content: bytes
    mode: int | None
    mtime_ns: int | None


def seen(root: Path, *, metadata: bool = False) -> dict[bytes, Seen]:
    """Everything below a folder (or the one file), by the bytes of its path; links are not followed."""
    found = {}
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        if path.is_symlink():
            kind, content = "link", os.readlink(os.fsencode(path))
        elif path.is_dir():
            kind, content = "folder", b""
        else:
            kind, content = "file", path.read_bytes()
        mode = stat.S_IMODE(status.st_mode) if metadata and kind != "link" else None
        found[os.fsencode(path.relative_to(root))] = Seen(kind, content, mode, status.st_mtime_ns if metadata else None)
    return found

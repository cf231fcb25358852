"""What a data folder holds, as a value: to show that something refused has changed nothing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pinfold import Node


def state_of(data_dir: Path) -> dict[str, Any]:
    """Numbers, pins, the bytes of the journal and of every segment; not the size of LMDB's file: it never shrinks."""
    with Node(data_dir) as node:
        stat = asdict(node.repo_stat())
        pins = sorted((str(pin.cid), pin.mode, pin.name) for pin in node.pin_ls())
    stat.pop("size_bytes")
    journal = data_dir / "pins.journal"
    return {
        **stat,
        "pins": pins,
        "journal": journal.read_bytes() if journal.exists() else b"",
        "segments": {path.name: path.read_bytes() for path in (data_dir / "segments").iterdir()},
        "sessions": sorted(path.name for path in (data_dir / "sessions").iterdir()),
    }

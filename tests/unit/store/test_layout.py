"""What a data folder must have, and what is made again."""

from __future__ import annotations

import shutil
from pathlib import Path

from pinfold.core.cid import CID
from pinfold.core.pin import PinMode
from pinfold.store import Store
from pinfold.store.writer import NewBlock

HELLO = CID.of(b"hello")


def test_folders_that_a_backup_left_out_because_they_are_empty_are_made_again(tmp_path: Path) -> None:
    Store(tmp_path / "data").close()
    for name in ("locks", "sessions"):
        shutil.rmtree(tmp_path / "data" / name)
    store = Store(tmp_path / "data")
    for _ in range(2):  # the second finds the block, and relies on it by a session
        with store.writer() as writer:
            writer.put([NewBlock(HELLO.multihash, HELLO.codec, bytes((41,)) + HELLO.bytes, b"hello")])
            writer.commit()
    store.pin(HELLO, PinMode.DIRECT)
    assert store.gc().blocks == 0
    store.close()

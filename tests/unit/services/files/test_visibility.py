from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.db import Database, files, roots_kept
from pinfold.db.changes import SYSTEM
from pinfold.db.files import NewFile
from pinfold.node import Node
from pinfold.services.files.visibility import Visibility
from tests.support.tenants import make_organisation


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "data") as node:
        yield node


def test_blocks_that_others_have_and_blocks_that_nobody_has_cost_the_same_work(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    ours = database.everybody.write_now(make_organisation, "ours")
    mine, of_others, of_nobody = (CID.of(data) for data in (b"mine", b"of others", b"of nobody"))
    for data in (b"mine", b"of others"):
        node.block_put(data, pin=True)
    new = NewFile(str(mine), str(mine), "a", 4, "text/plain", "unixfs-v1-2025", 4)
    database.of(ours).write_now(files.record, SYSTEM, [new], None, datetime.now(UTC))
    pages: list[bool] = []
    read = roots_kept.newest_before

    def counted(*args: object) -> object:
        pages.append(True)
        return read(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(roots_kept, "newest_before", counted)
    visibility, work = Visibility(database, node), []
    for asked in (of_others, of_nobody):
        pages.clear()
        assert visibility.missing(ours, [mine, asked], mine) == [asked]
        work.append(len(pages))
    assert work[0] == work[1] > 0
    pages.clear()
    assert visibility.missing(ours, [mine], mine) == []
    assert not pages, "what is all below one's own root is found at once"
    database.close()

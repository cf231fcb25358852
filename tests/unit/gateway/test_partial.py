"""What is here of a file is served, and what is damaged is not, whatever its other blocks are."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from pinfold.core.cid import CID
from pinfold.node import Node
from pinfold.node.model import AddOptions
from pinfold.unixfs.profile import profile
from tests.support.shared import shared_path
from tests.support.stores import damage, leaves, lose
from tests.unit.gateway.conftest import Get

OPTIONS = AddOptions(profile=profile("unixfs-v1-2025", chunker="size-1024"))
CONTENT = b"A" * 1024 + b"B" * 1024 + b"C" * 1024


@pytest.fixture
def file(node: Node) -> CID:
    return node.add_stream(io.BytesIO(CONTENT), OPTIONS).cid


@pytest.fixture
def folder(node: Node) -> CID:
    return node.add_tree([(("clip.mp4",), io.BytesIO(CONTENT))], OPTIONS, name="folder").cid


@pytest.mark.parametrize("hurt", [lose, damage], ids=["missing", "damaged"])
@pytest.mark.parametrize(
    ("leaf", "asked", "answer"),
    [
        (0, "bytes=1024-1033", b"B" * 10),
        (0, "bytes=2048-2057", b"C" * 10),
        (0, "bytes=-10", b"C" * 10),
        (1, "bytes=0-1023", b"A" * 1024),
        (2, "bytes=0-2047", b"A" * 1024 + b"B" * 1024),
        (2, "bytes=100-101", b"AA"),
    ],
)
def test_a_range_needs_only_its_own_blocks(
    node: Node, file: CID, folder: CID, get: Get, hurt: Callable[..., None], leaf: int, asked: str, answer: bytes
) -> None:
    hurt(node.store, leaves(node.store, file)[leaf])
    for path in (f"/ipfs/{file}", f"/ipfs/{folder}/clip.mp4"):
        found = get(path, Range=asked)
        assert (found.status_code, found.content) == (206, answer), path
        assert found.headers["content-range"].endswith("/3072")
        if path.endswith("mp4"):
            assert found.headers["content-type"] == "video/mp4"


def test_a_range_over_what_is_missing_is_404_and_over_damage_500(node: Node, file: CID, get: Get) -> None:
    first, second, _ = leaves(node.store, file)
    lose(node.store, first)
    damage(node.store, second)
    assert get(f"/ipfs/{file}", Range="bytes=0-9").status_code == 404
    assert get(f"/ipfs/{file}", Range="bytes=1030-1040").status_code == 500
    assert get(f"/ipfs/{file}", Range="bytes=2048-").content == b"C" * 1024
    whole = get(f"/ipfs/{file}")
    assert whole.status_code == 404
    assert "etag" not in whole.headers


def test_head_of_a_file_whose_first_block_is_missing_says_its_length(
    node: Node, file: CID, folder: CID, get: Get
) -> None:
    lose(node.store, leaves(node.store, file)[0])
    for path, kind in ((f"/ipfs/{file}", "application/octet-stream"), (f"/ipfs/{folder}/clip.mp4", "video/mp4")):
        found = get(path, "HEAD")
        assert (found.status_code, found.headers["content-length"]) == (200, "3072")
        assert found.headers["content-type"] == kind


@pytest.mark.parametrize("form", ["", "?format=raw"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_damage_before_the_first_byte_is_an_error_that_nobody_keeps(
    node: Node, get: Get, method: str, form: str
) -> None:
    cid = node.add_bytes(b"hello world")
    damage(node.store, cid, 3)
    found = get(f"/ipfs/{cid}{form}", method)
    assert found.status_code == 500
    assert found.headers["cache-control"] == "no-store"
    assert "etag" not in found.headers
    assert method == "HEAD" or (b"world" not in found.content and str(cid) in found.text)


def test_a_damaged_folder_is_no_other_folder(node: Node, folder: CID, get: Get) -> None:
    data = node.block_get(folder)
    damage(node.store, folder, data.index(b"clip.mp4"))
    assert get(f"/ipfs/{folder}/clip.mp4").status_code == 500
    assert get(f"/ipfs/{folder}/").status_code == 500


@pytest.mark.shared
@pytest.mark.parametrize(("name", "missing"), [("no-first-block.car", 0), ("no-last-block.car", 2)])
def test_the_shared_partial_files(node: Node, get: Get, name: str, missing: int) -> None:
    car = shared_path(f"cases/range-of-a-partial-file/{name}").read_bytes()
    folder = node.dag_import(io.BytesIO(car), pin_roots=False).roots[0]
    for leaf in {0, 1, 2} - {missing}:
        asked = f"bytes={leaf * 1024}-{leaf * 1024 + 9}"
        found = get(f"/ipfs/{folder}/clip.mp4", Range=asked)
        assert (found.status_code, found.content) == (206, CONTENT[leaf * 1024 :][:10])
    asked = f"bytes={missing * 1024}-{missing * 1024 + 9}"
    assert get(f"/ipfs/{folder}/clip.mp4", Range=asked).status_code == 404
    assert get(f"/ipfs/{folder}/clip.mp4", "HEAD").headers["content-length"] == "3072"

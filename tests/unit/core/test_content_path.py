"""Content paths: every way to write one, and what is none."""

from __future__ import annotations

import os

import pytest

from pinfold.core.cid import CID
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import IdentityTooLarge, InsecureHash, InvalidPath

ROOT = CID.of(b"root")


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        (f"{ROOT}", ()),
        (f"{ROOT}/", ()),
        (f"{ROOT}/a/b", ("a", "b")),
        (f"/ipfs/{ROOT}", ()),
        (f"/ipfs/{ROOT}/a/b", ("a", "b")),
        (f"/ipfs//{ROOT}///a//b/", ("a", "b")),
        (f"ipfs://{ROOT}", ()),
        (f"ipfs://{ROOT}/a/b", ("a", "b")),
        (f"IPFS://{ROOT}/a", ("a",)),
        (f"ipfs://{ROOT}/a%20b/%C3%A9", ("a b", "é")),
        (f"ipfs://{ROOT}/a%3Fb?download=true#top", ("a?b",)),
        (f"ipfs://{ROOT}/50%", ("50%",)),
        (f"/ipfs/{ROOT}/a%20b?c#d", ("a%20b?c#d",)),
        (f"{ROOT}/100%/ü", ("100%", "ü")),
        (f"{ROOT}/http://x", ("http:", "x")),
        (f"{ROOT}/..", ("..",)),
    ],
)
def test_a_path_is_read_however_people_write_it(text: str, segments: tuple[str, ...]) -> None:
    path = ContentPath.parse(text)
    assert path == ContentPath(ROOT, segments)
    assert ContentPath.parse(str(path)) == path
    assert str(path) == "/".join((f"/ipfs/{ROOT}", *segments))


def test_names_that_are_not_utf8_survive() -> None:
    raw = b"caf\xe9"
    for text in (f"{ROOT}/{os.fsdecode(raw)}", f"ipfs://{ROOT}/caf%E9"):
        assert ContentPath.parse(text).names == (raw,)


def test_a_root_of_version_zero_and_of_any_multibase_is_taken() -> None:
    v0 = CID.of(b"", codec=0x70, version=0)
    assert ContentPath.parse(f"/ipfs/{v0}/x").root == v0
    assert ContentPath.parse(f"ipfs://{ROOT.encode('base36')}/x").root == ROOT


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no CID"),
        ("/", "neither /ipfs/ nor a CID"),
        ("/ipfs/", "no CID"),
        ("/ipfs", "neither /ipfs/ nor a CID"),
        ("ipfs://", "no CID"),
        ("/ipns/example.org", "not supported yet"),
        ("ipns://example.org/a", "not supported yet"),
        ("/usr/bin", "neither /ipfs/ nor a CID"),
        ("file.txt", "is no CID"),
        ("https://example.org", "is no CID"),
        ("/ipfs/hello/a", "'hello' is no CID"),
        (f"ipfs://{ROOT}/a%2Fb", "slash"),
        ("x" * 5000, "is no CID"),
    ],
)
def test_what_is_no_path_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidPath, match=why) as caught:
        ContentPath.parse(text)
    assert len(str(caught.value)) < 500


def test_a_root_that_nobody_should_trust_says_so() -> None:
    with pytest.raises(InsecureHash):
        ContentPath.parse("/ipfs/f01551820" + "11" * 32)
    with pytest.raises(IdentityTooLarge):
        ContentPath.parse("/ipfs/f0155008101" + "00" * 129)

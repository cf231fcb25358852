"""Files and folders as tar and gzip."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput, UnsafeName
from pinfold.node.archive import get_archive
from pinfold.store import Store
from pinfold.unixfs.message import Metadata
from tests.support.dags import Link
from tests.support.stores import put_file, put_tree
from tests.unit.node.test_get import crafted


def archived(store: Store, path: str | CID, **options: bool | int) -> bytes:
    stream = io.BytesIO()
    get_archive(store, path, stream, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def test_a_folder_becomes_a_tar_that_others_read(store: Store) -> None:
    long = "n" * 200
    root = put_tree(store, {"a": b"x" * 3000, "b": {"c": b"y"}, "link": Link(b"a"), long: b"z", "é": b""})
    with tarfile.open(fileobj=io.BytesIO(archived(store, f"/ipfs/{root}"))) as tar:
        found = {member.name: member for member in tar}
        assert set(found) == {str(root)} | {f"{root}/{name}" for name in ("a", "b", "b/c", "link", long, "é")}
        assert tar.extractfile(f"{root}/a").read() == b"x" * 3000  # type: ignore[union-attr]
        assert found[f"{root}/link"].linkname == "a"
        assert found[f"{root}/b"].isdir()
        assert {member.mtime for member in found.values()} == {0}


def test_the_top_is_named_as_the_path_ends(store: Store) -> None:
    root = put_tree(store, {"b": {"c": b"y"}})
    with tarfile.open(fileobj=io.BytesIO(archived(store, f"{root}/b"))) as tar:
        assert tar.getnames() == ["b", "b/c"]


@pytest.mark.parametrize("level", [None, 1, 9])
def test_an_archive_is_the_same_every_time(store: Store, level: int | None) -> None:
    root = put_tree(store, {"a": b"x" * 3000, "b": {"c": b"y"}})
    options = {} if level is None else {"compress": level}
    first = archived(store, root, **options)
    assert archived(store, root, **options) == first
    plain = first if level is None else gzip.decompress(first)
    assert len(plain) % 10240 == 0
    assert plain == archived(store, root)


def test_a_lone_file_is_compressed_without_tar_where_asked(store: Store) -> None:
    file = put_file(store, b"x" * 3000)
    assert gzip.decompress(archived(store, file, archive=False, compress=6)) == b"x" * 3000
    assert archived(store, file, archive=False) == b"x" * 3000
    with tarfile.open(fileobj=io.BytesIO(archived(store, file, compress=6)), mode="r:gz") as tar:
        assert [(member.name, member.size) for member in tar] == [(str(file), 3000)]


@pytest.mark.parametrize(
    ("mtime", "seconds"), [((5, 0), 5.0), ((5, 500_000_000), 5.5), ((-5, 0), -5.0), ((-5, 500_000_000), -4.5)]
)
def test_mode_and_time_are_kept(store: Store, mtime: tuple[int, int], seconds: float) -> None:
    file = put_file(store, b"x", metadata=Metadata(0o4640, mtime))
    with tarfile.open(fileobj=io.BytesIO(archived(store, file))) as tar:
        member = tar.next()
        assert member is not None
        assert (member.mode, member.mtime) == (0o640, seconds)


def test_names_that_are_no_utf8_are_kept(store: Store) -> None:
    root = crafted(store, [(b"\xff\xfe", put_file(store, b"x"))])
    with tarfile.open(fileobj=io.BytesIO(archived(store, root))) as tar:
        assert tar.getnames()[1].encode("utf-8", "surrogateescape") == str(root).encode() + b"/\xff\xfe"


def test_a_name_that_leads_elsewhere_is_refused(store: Store) -> None:
    with pytest.raises(UnsafeName):
        archived(store, crafted(store, [(b"..", put_file(store, b"x"))]))


@pytest.mark.parametrize("level", [0, 10, -1])
def test_a_level_that_gzip_does_not_have_is_refused(store: Store, level: int) -> None:
    with pytest.raises(InvalidInput):
        archived(store, put_file(store, b"x"), compress=level)

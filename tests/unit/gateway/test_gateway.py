from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pinfold.core.cid import CID
from pinfold.gateway import create_gateway
from pinfold.node import Node
from pinfold.node.cat import FileReader
from pinfold.node.model import AddOptions
from tests.support.platform import run
from tests.unit.gateway.conftest import Get

DATA = bytes(range(256)) * 12_000  # three leaves


@pytest.fixture
def folder(node: Node, tmp_path: Path) -> CID:
    """A folder with names that are hard."""
    top = tmp_path / "top"
    (top / "sub").mkdir(parents=True)
    (top / "site").mkdir()
    for name, data in {
        "hello.txt": b"hello",
        "big.bin": DATA,
        "日本語 ünï 🎉.txt": b"script",
        "<b>&'\".html": b"<p>",
        "a%20b?#.txt": b"percent",
        "javascript:alert(1)": b"x",
        "sub/deep.txt": b"deep",
        "site/index.html": b"<h1>site</h1>",
    }.items():
        (top / name).write_bytes(data)
    (top / "link").symlink_to("hello.txt")
    return [added for added in node.add([top]) if added.is_root][-1].cid


def test_a_file_comes_whole_with_the_headers_of_what_never_changes(node: Node, get: Get) -> None:
    cid = node.add_bytes(DATA)
    response = get(f"/ipfs/{cid}")
    assert response.status_code == 200
    assert response.content == DATA
    assert response.headers["etag"] == f'"{cid}"'
    assert "immutable" in response.headers["cache-control"]
    assert response.headers["x-ipfs-path"] == f"/ipfs/{cid}"
    assert response.headers["x-ipfs-roots"] == str(cid)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-length"] == str(len(DATA))
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=1048570-1048590", 1048570, 1048591), ("bytes=-5", len(DATA) - 5, len(DATA))],
)
def test_a_range_is_206_and_touches_what_it_covers(node: Node, get: Get, asked: str, start: int, stop: int) -> None:
    response = get(f"/ipfs/{node.add_bytes(DATA)}", Range=asked)
    assert response.status_code == 206
    assert response.content == DATA[start:stop]
    assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(DATA)}"
    assert response.headers["content-length"] == str(stop - start)


def test_a_range_behind_the_end_is_416(node: Node, get: Get) -> None:
    response = get(f"/ipfs/{node.add_bytes(b'hello')}", Range="bytes=5-")
    assert response.status_code == 416
    assert response.headers["content-range"] == "bytes */5"


def test_if_range_with_another_tag_gives_the_whole(node: Node, get: Get) -> None:
    cid = node.add_bytes(b"hello")
    assert get(f"/ipfs/{cid}", Range="bytes=0-1", If_Range='"other"').status_code == 200
    assert get(f"/ipfs/{cid}", Range="bytes=0-1", If_Range=f'"{cid}"').status_code == 206


def test_head_says_the_same_without_a_body(node: Node, folder: CID, get: Get) -> None:
    for path in (f"/ipfs/{node.add_bytes(DATA)}", f"/ipfs/{folder}/", "/"):
        whole, head = get(path, **{"X-Request-Id": "one"}), get(path, "HEAD", **{"X-Request-Id": "one"})
        assert head.content == b""
        assert head.status_code == 200
        assert head.headers == whole.headers


def test_an_empty_file_is_200_even_for_a_range(node: Node, get: Get) -> None:
    response = get(f"/ipfs/{node.add_bytes(b'')}", Range="bytes=0-")
    assert (response.status_code, response.content) == (200, b"")


def test_not_modified_is_said_before_any_block_is_read(node: Node, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    cid = node.add_bytes(b"hello")
    monkeypatch.setattr(Node, "file_info", None)
    monkeypatch.setattr(Node, "block_get", None)
    for path, tag in ((f"/ipfs/{cid}", str(cid)), (f"/ipfs/{cid}?format=raw", f"{cid}.raw")):
        assert get(path, If_None_Match=f'"{tag}"').status_code == 304


def test_not_modified_works_below_a_root_and_for_listings(folder: CID, get: Get) -> None:
    for path in (f"/ipfs/{folder}/hello.txt", f"/ipfs/{folder}/sub/", f"/ipfs/{folder}/site/"):
        tag = get(path).headers["etag"]
        assert get(path, If_None_Match=tag).status_code == 304
        assert get(path, If_None_Match='"other"').status_code == 200


def test_types_come_from_names(folder: CID, get: Get) -> None:
    response = get(f"/ipfs/{folder}/hello.txt")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert "hello.txt" in response.headers["content-disposition"]
    roots = response.headers["x-ipfs-roots"].split(",")
    assert roots == [str(folder), str(CID.of(b"hello"))]


def test_a_filename_of_the_query_names_a_bare_cid(node: Node, get: Get) -> None:
    response = get(f"/ipfs/{node.add_bytes(b'%PDF-not really')}?filename=x.csv&download=true")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    assert response.headers["content-disposition"].startswith('attachment; filename="x.csv"')


def test_a_folder_without_its_slash_is_redirected(folder: CID, get: Get) -> None:
    response = get(f"/ipfs/{folder}/sub?a=1")
    assert response.status_code == 301
    assert response.headers["location"] == f"/ipfs/{folder}/sub/?a=1"


def test_every_link_of_a_listing_leads_to_its_file(folder: CID, get: Get) -> None:
    from html.parser import HTMLParser
    from urllib.parse import urljoin

    links: list[str] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            links.extend(value or "" for name, value in attrs if tag == "a" and name == "href")

    page = f"/ipfs/{folder}/"
    html = get(page).text
    Links().feed(html)
    assert len(links) >= 2 * 9
    for link in links:
        target = urljoin(page, link)
        assert target.startswith("/ipfs/")
        assert get(target).status_code in (200, 301), link
    assert "<b>" not in html
    assert "日本語 ünï 🎉.txt" in html
    assert "<script" not in html


def test_a_listing_has_a_way_up_and_sizes(folder: CID, get: Get) -> None:
    assert 'href="../"' not in get(f"/ipfs/{folder}/").text
    html = get(f"/ipfs/{folder}/sub/").text
    assert 'href="../"' in html
    assert "4 B" in html


def test_an_index_page_stands_for_its_folder(folder: CID, get: Get) -> None:
    response = get(f"/ipfs/{folder}/site/")
    assert response.text == "<h1>site</h1>"
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert get(f"/ipfs/{folder}/site/", Range="bytes=0-1").content == b"<h"


def test_a_large_folder_is_listed_in_pages(node: Node, tmp_path: Path, get: Get) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(1200):
        (many / f"{number:05d}").write_bytes(b"")
    cid = [added for added in node.add([many]) if added.is_root][-1].cid
    first, second = get(f"/ipfs/{cid}/").text, get(f"/ipfs/{cid}/?page=2").text
    assert "00999" in first
    assert "01000" not in first
    assert "01199" in second
    assert get(f"/ipfs/{cid}/?page=3").status_code == 404


def test_a_sharded_folder_is_listed_and_walked(node: Node, tmp_path: Path, get: Get) -> None:
    from pinfold.unixfs.profile import profile

    many = tmp_path / "sharded"
    many.mkdir()
    for number in range(300):
        (many / f"{number:05d}").write_bytes(b"%d" % number)
    options = AddOptions(profile=profile(hamt_threshold=1000))
    cid = [added for added in node.add([many], options) if added.is_root][-1].cid
    assert "00299" in get(f"/ipfs/{cid}/").text
    assert get(f"/ipfs/{cid}/00123").content == b"123"


def test_a_link_is_given_as_its_target(folder: CID, get: Get) -> None:
    response = get(f"/ipfs/{folder}/link")
    assert response.headers["content-type"] == "inode/symlink"
    assert response.content == b"hello.txt"


@pytest.mark.parametrize("way", ["?format=raw", ""])
def test_a_block_comes_as_it_is_for_those_who_check_it(node: Node, get: Get, way: str) -> None:
    cid = node.add_bytes(DATA)
    response = get(f"/ipfs/{cid}{way}", Accept="application/vnd.ipld.raw")
    assert response.headers["content-type"] == "application/vnd.ipld.raw"
    assert response.headers["etag"] == f'"{cid}.raw"'
    assert CID.of(response.content, codec=cid.codec) == cid
    assert response.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/ipfs/{CID.of(b'nowhere')}", 404),
        ("/ipfs/nonsense", 400),
        ("/ipfs/", 400),
        ("/nothing", 404),
        ("/ipns/example.org", 501),
        ("/ipfs/FOLDER/absent", 404),
        ("/ipfs/FOLDER/hello.txt/below", 404),
        ("/ipfs/FOLDER/%2e%2e/%2e%2e/etc/passwd", 404),
        ("/ipfs/FOLDER/sub%2Fdeep.txt", 404),
        ("/ipfs/FOLDER/hello.txt?format=car", 501),
        ("/ipfs/FOLDER/hello.txt?format=nonsense", 400),
        ("/ipfs/FOLDER" + "/a" * 300, 414),
    ],
)
def test_what_is_not_there_gets_a_short_sentence(folder: CID, get: Get, path: str, status: int) -> None:
    response = get(path.replace("FOLDER", str(folder)))
    assert response.status_code == status
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.text.startswith(f"{status} ")
    assert response.text.count("\n") == 1
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(get: Get, method: str) -> None:
    response = get(f"/ipfs/{CID.of(b'x')}", method)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


def test_other_origins_may_read(get: Get) -> None:
    response = get(f"/ipfs/{CID.of(b'x')}", "OPTIONS")
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"


def test_what_is_no_file_says_how_to_get_it_all_the_same(node: Node, get: Get) -> None:
    cid = node.dag_put({"hello": "world"})
    assert get(f"/ipfs/{cid}").status_code == 501
    assert get(f"/ipfs/{cid}?format=raw").status_code == 200


def test_an_error_before_the_first_byte_is_a_status(node: Node, get: Get) -> None:
    # The root is here, its first leaf is not.
    cid = node.add_bytes(DATA, AddOptions(pin=False))
    leaf = next(iter(node.refs(cid))).cid
    list(node.block_rm([leaf]))
    assert get(f"/ipfs/{cid}").status_code == 404


def test_a_client_that_goes_away_stops_the_reading(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    cid = node.add_bytes(DATA)
    steps: list[int] = []
    closed: list[bool] = []

    def endless(self: FileReader, offset: int, length: int | None) -> Iterator[bytes]:
        if length is not None and length <= 512:
            yield b"x" * length
            return
        try:
            while True:
                steps.append(1)
                yield b"x" * 1000
        finally:
            closed.append(True)

    monkeypatch.setattr(FileReader, "cat", endless)

    async def go() -> None:
        gateway = create_gateway(node)
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if len(steps) > 5:
                gone.set()
            await asyncio.sleep(0)

        path = f"/ipfs/{cid}"
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        async with asyncio.timeout(5):
            await gateway(scope, receive, send)
            while not closed:
                await asyncio.sleep(0.01)
        await gateway.close()

    run(go())
    assert len(steps) < 100


def test_the_page_at_the_top_says_what_this_is(get: Get) -> None:
    assert "Pinfold gateway" in get("/").text


@pytest.mark.parametrize("path", ["/ipfs/{}", "/ipfs/{}?format=raw", "/ipfs/{}?x=a/b/c"])
def test_a_service_worker_above_its_cid_is_refused(node: Node, get: Get, path: str) -> None:
    address = path.format(node.add_bytes(b"self.onfetch = null"))
    assert get(address).status_code == 200
    assert get(address, Service_Worker="script").status_code == 400


def test_a_service_worker_inside_its_cid_is_fine(folder: CID, get: Get) -> None:
    assert get(f"/ipfs/{folder}/hello.txt", Service_Worker="script").status_code == 200


def test_what_is_not_here_is_not_said_to_be_unchanged(get: Get) -> None:
    cid = CID.parse("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
    for path, tag in ((f"/ipfs/{cid}", str(cid)), (f"/ipfs/{cid}?format=raw", f"{cid}.raw")):
        assert get(path, If_None_Match=f'"{tag}"').status_code == 404
        assert get(path, If_None_Match="*").status_code == 404


def test_the_gateway_says_that_it_lives(get: Get) -> None:
    whole, head = get("/ping"), get("/ping", "HEAD")
    assert whole.json() == {"status": "ok"}
    assert (head.status_code, head.content) == (200, b"")


def test_too_many_open_files_are_503(node: Node, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(24, "Too many open files")

    cid = node.add_bytes(b"hello")
    monkeypatch.setattr(Node, "open_file", fail)
    response = get(f"/ipfs/{cid}")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")


@pytest.mark.parametrize("size", [0, 1, 256 << 10, (256 << 10) + 1, 1 << 20])
def test_a_raw_block_of_any_size_comes_whole(node: Node, get: Get, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    cid = node.block_put(data)
    path = f"/ipfs/{cid}?format=raw"
    whole, head = get(path, **{"X-Request-Id": "one"}), get(path, "HEAD", **{"X-Request-Id": "one"})
    assert whole.content == data and whole.headers["content-type"] == "application/vnd.ipld.raw"
    assert (head.status_code, head.content, head.headers) == (200, b"", whole.headers)

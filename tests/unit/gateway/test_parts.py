from __future__ import annotations

import pytest

from pinfold.core import errors
from pinfold.core.cid import CID
from pinfold.core.content_type import content_type
from pinfold.gateway import headers, policy
from pinfold.gateway.errors import STATUS, Refusal
from pinfold.gateway.ranges import ByteRange, parse
from pinfold.gateway.render.directory import readable_size
from pinfold.gateway.request import Format, GatewayRequest, encode_name, show_name

ROOT = CID.of(b"hello")


def scope(path: str, *, query: str = "", method: str = "GET", **fields: str) -> dict[str, object]:
    from urllib.parse import unquote

    return {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [
            (name.replace("_", "-").encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()
        ],
    }


def request(path: str, **more: str) -> GatewayRequest:
    return GatewayRequest.read(scope(path, **more))


def every_error() -> list[type[errors.PinfoldError]]:
    found = [errors.PinfoldError]
    for one in found:
        found.extend(one.__subclasses__())
    return sorted({one for one in found if one.__module__ == errors.__name__}, key=lambda one: one.__name__)


@pytest.mark.parametrize("error", every_error())
def test_every_error_has_a_status(error: type[errors.PinfoldError]) -> None:
    assert 400 <= STATUS[error] < 600


@pytest.mark.parametrize(
    ("header", "size", "expected"),
    [
        ("bytes=0-", 10, ByteRange(0, 10)),
        ("bytes=0-0", 10, ByteRange(0, 1)),
        ("bytes=3-5", 10, ByteRange(3, 6)),
        ("bytes=3-99", 10, ByteRange(3, 10)),
        ("bytes=-4", 10, ByteRange(6, 10)),
        ("bytes=-99", 10, ByteRange(0, 10)),
        ("BYTES = 1-2", 10, None),
        ("Bytes=1-2", 10, ByteRange(1, 3)),
        ("bytes=5-3", 10, None),
        ("bytes=-", 10, None),
        ("bytes=0-1,3-4", 10, None),
        ("lines=1-2", 10, None),
        ("bytes=" + "9" * 40 + "-", 10, None),
        ("bytes=٣-", 10, None),
        ("bytes=0-", 0, None),
    ],
)
def test_ranges_are_read_as_the_rfc_says(header: str, size: int, expected: ByteRange | None) -> None:
    assert parse(header, size) == expected


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_behind_the_end_is_416_and_says_the_size(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(header, 10)
    assert refused.value.status == 416
    assert refused.value.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.html", b"", "text/html; charset=utf-8"),
        ("a.css", b"\xff\xfe", "text/css"),
        ("a.js", b"", "text/javascript; charset=utf-8"),
        ("a.wasm", b"", "application/wasm"),
        ("a.tar.gz", b"", "application/gzip"),
        ("a.webp", b"", "image/webp"),
        ("a.svg", b"<svg", "image/svg+xml"),
        ("", b"\x89PNG\r\n\x1a\n", "image/png"),
        ("noext", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("", b"  <!DOCTYPE HTML><p>", "text/html; charset=utf-8"),
        ("", b"plain words\n", "text/plain; charset=utf-8"),
        ("", "日本".encode(), "text/plain; charset=utf-8"),
        ("", b"\x00\x01\x02", "application/octet-stream"),
        ("", b"", "text/plain; charset=utf-8"),
        ("", b"a" * 511 + b"\xe6", "text/plain; charset=utf-8"),
        ("data:text/html,x", b"\x00", "application/octet-stream"),
        ("", b"\x00\x00\x00\x20ftypisom", "video/mp4"),
    ],
)
def test_a_file_is_served_with_the_type_of_its_name_else_of_its_bytes(name: str, head: bytes, expected: str) -> None:
    assert content_type(name, head) == expected


def test_names_are_decoded_one_by_one_so_that_an_escaped_slash_is_no_separator() -> None:
    read = request(f"/ipfs/{ROOT}/a%2Fb/%E6%97%A5/%FF")
    assert read.segments == ("a/b", "日", "\udcff")
    assert read.content_path == f"/ipfs/{ROOT}/a%2Fb/%E6%97%A5/%FF"
    assert not read.ends_with_slash


def test_empty_names_count_for_nothing() -> None:
    assert request(f"/ipfs/{ROOT}//a///b/").segments == ("a", "b")


def test_options_are_read_from_the_query() -> None:
    read = request(f"/ipfs/{ROOT}", query="filename=a%20b.pdf&download=true&page=3&format=raw")
    assert (read.name, read.download, read.page, read.format) == ("a b.pdf", True, 3, Format.RAW)
    assert request(f"/ipfs/{ROOT}", query="page=x").page == 1


def test_the_accept_header_can_ask_for_a_format() -> None:
    read = request(f"/ipfs/{ROOT}", accept="text/html, application/vnd.ipld.raw;q=0.9")
    assert read.format is Format.RAW
    assert request(f"/ipfs/{ROOT}", accept="*/*").format is Format.RENDERED


@pytest.mark.parametrize(("query", "status"), [("format=car", 501), ("format=nonsense", 400)])
def test_other_formats_are_refused_plainly(query: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        request(f"/ipfs/{ROOT}", query=query)
    assert refused.value.status == status


def test_a_path_of_thousands_of_names_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        request(f"/ipfs/{ROOT}" + "/a" * 1000)
    assert refused.value.status == 414


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/ipfs/x", 405),
        ("DELETE", "/", 405),
        ("GET", "/nothing", 404),
        ("GET", "/ipfs", 404),
        ("GET", "/ipfs/", 400),
        ("GET", "/ipns/example.org", 501),
    ],
)
def test_what_is_not_served_is_refused_by_policy(method: str, path: str, status: int) -> None:
    with pytest.raises(Refusal) as refused:
        policy.check_scope(scope(path, method=method))
    assert refused.value.status == status


def test_a_copy_of_a_root_is_current_without_reading_anything() -> None:
    tag = f'"{ROOT}"'
    assert policy.tag_already_held(request(f"/ipfs/{ROOT}", if_none_match=f'"other", W/{tag}')) == tag
    assert policy.tag_already_held(request(f"/ipfs/{ROOT}", if_none_match='"other"')) is None
    assert policy.tag_already_held(request(f"/ipfs/{ROOT}/a", if_none_match=tag)) is None
    assert policy.tag_already_held(request(f"/ipfs/{ROOT}", query="format=raw", if_none_match=tag)) is None
    listing = headers.directory_etag(ROOT, 1)
    assert policy.tag_already_held(request(f"/ipfs/{ROOT}/", if_none_match=listing)) == listing


def test_a_disposition_cannot_break_out_of_its_header() -> None:
    read = request(f"/ipfs/{ROOT}", query="filename=a%22%0D%0Ab%5C.txt&download=true")
    value = headers.disposition(read)["Content-Disposition"]
    assert value == "attachment; filename=\"a___b_.txt\"; filename*=UTF-8''a%22%0D%0Ab%5C.txt"


def test_names_that_are_no_utf8_are_linked_by_their_bytes_and_shown_readably() -> None:
    assert encode_name("\udcffé/?#:") == "%FF%C3%A9%2F%3F%23%3A"
    assert show_name("\udcffa") == "�a"


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (150 * 1024, "150 KiB"), (5 << 30, "5.0 GiB")],
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert readable_size(size) == text

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from pinfold.api.multipart import PartBegin, PartData, file_name, parse
from pinfold.core.errors import InvalidInput

BOUNDARY = "XxBoundaryxX"
TYPE = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: tuple[str, bytes], closing: bool = True) -> bytes:
    body = b"".join(
        f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode("utf-8", "surrogateescape") + data + b"\r\n" for head, data in parts
    )
    return body + (f"--{BOUNDARY}--\r\n".encode() if closing else b"")


def file_part(name: str = "a.txt", field: str = "file", extra: str = "") -> str:
    return f'Content-Disposition: form-data; name="{field}"; filename="{name}"{extra}'


def read(body: Sequence[bytes], content_type: str = TYPE) -> list[tuple[PartBegin, bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        for chunk in body:
            yield chunk

    async def collect() -> list[tuple[PartBegin, bytes]]:
        parts: list[tuple[PartBegin, bytes]] = []
        async for event in parse(content_type, chunks()):
            if isinstance(event, PartBegin):
                parts.append((event, b""))
            elif isinstance(event, PartData):
                parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
        return parts

    return asyncio.run(collect())


def test_parts_come_with_their_names_types_and_bytes() -> None:
    body = form((file_part("a.txt"), b"hello"), (file_part("b.bin", extra="\r\nContent-Type: image/png"), b"\x00\r\n"))
    (first, hello), (second, rest) = read([body])
    assert (first.field, first.filename, first.content_type, hello) == ("file", "a.txt", "text/plain", b"hello")
    assert (second.filename, second.content_type, rest) == ("b.bin", "image/png", b"\x00\r\n")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 65_536])
def test_it_does_not_matter_how_the_body_is_cut(size: int) -> None:
    data = (b"\r\n--XxBoundary" + bytes(range(256))) * 300
    body = form((file_part(), data), (file_part("empty"), b""))
    parts = read([body[start : start + size] for start in range(0, len(body), size)])
    assert [content for _, content in parts] == [data, b""]


def test_a_form_that_is_cut_off_anywhere_is_refused() -> None:
    body = form((file_part(), b"hello world"), (file_part("b"), b"more"))
    last = len(body) - len(b"\r\n")
    for end in range(last):
        with pytest.raises(InvalidInput):
            read([body[:end]])


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/mixed; boundary=XxBoundaryxX",
    ],
)
def test_a_type_that_is_no_form_s_is_refused(content_type: str) -> None:
    with pytest.raises(InvalidInput):
        read([form((file_part(), b"x"))], content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"--WrongBoundary\r\n\r\nx\r\n--WrongBoundary--\r\n",
        form(("Content-Type: text/plain", b"x")),
        form(("Content-Disposition: attachment; name=file", b"x")),
        form(('Content-Disposition: form-data; filename="x"', b"x")),
        form((file_part("x" * 5000), b"x")),
        form((file_part("\udcff\udcfe"), b"x")),
        form(("bad header\x00: x", b"x")),
        form((file_part("a\0b.txt"), b"x")),
        form((file_part("a.txt", field="fi\0le"), b"x")),
    ],
)
def test_what_is_no_form_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        read([body])


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("photo.jpg", "photo.jpg"),
        ("C:\\Users\\me\\photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("..", ""),
        ("folder/", ""),
        ("line\r\nbreak\x00.txt", "linebreak.txt"),
        ("日本語.txt", "日本語.txt"),
        ("é" * 300, "é" * 127),
        ("  spaced  ", "spaced"),
    ],
)
def test_a_name_is_the_last_of_its_path_and_nothing_else(given: str, kept: str) -> None:
    assert file_name(given) == kept


def test_names_in_every_script_arrive_whole() -> None:
    ((begin, _),) = read([form((file_part("日本語 Ünïcode 🎉.txt"), b"x"))])
    assert begin.filename == "日本語 Ünïcode 🎉.txt"


def test_a_type_is_guessed_from_the_name_where_none_was_sent() -> None:
    parts = read([form((file_part("a.png"), b""), (file_part("a.unknown"), b""))])
    assert [begin.content_type for begin, _ in parts] == ["image/png", "application/octet-stream"]

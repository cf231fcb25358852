from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from pinfold.api.multipart import PartBegin, PartData, parse
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
    assert (first.field, first.filename, first.content_type, hello) == ("file", "a.txt", "", b"hello")
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
    ("sent", "name"),
    [
        ('filename="photo.jpg"', "photo.jpg"),
        ("filename=photo.jpg", "photo.jpg"),
        ('filename="C:\\Users\\me\\photo.jpg"', "photo.jpg"),
        ('filename=""', ""),
        ('filename="a\\b.txt"', "a\\b.txt"),
        ('filename="  spaced  "', "  spaced  "),
        ('filename=" lead.txt"', " lead.txt"),
        ('filename="say %22hi%22.txt"', 'say "hi".txt'),
        ('filename="say \\"hi\\".txt"', 'say "hi".txt'),
        ('filename="100%.txt"', "100%.txt"),
        ('filename="%41.txt"', "%41.txt"),
        ('filename="a%2Fb"', "a%2Fb"),
        ('filename="%0a.txt"', "%0a.txt"),  # browsers write capitals
        ('filename="a;b=c.txt"', "a;b=c.txt"),
        ('filename="日本語.txt"', "日本語.txt"),
        (f'filename="{"é" * 127}"', "é" * 127),
        ("filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt", "日本.txt"),
        ("filename*=utf-8''na%C3%AFve%20plan.txt", "naïve plan.txt"),
        ("filename*=UTF-8'ja'%E6%97%A5.txt", "日.txt"),
        ("filename*=iso-8859-1''caf%E9.txt", "café.txt"),
        ("filename=\"nihon.txt\"; filename*=UTF-8''%E6%97%A5.txt", "日.txt"),
        ("filename*=UTF-8''%E6%97%A5.txt; filename=\"nihon.txt\"", "日.txt"),
        ("filename=\"=?utf-8?B?5pel?=\"; filename*=utf-8''%E6%97%A5.txt", "日.txt"),
        ("filename=\"plain.txt\"; filename*=UTF-8''%E6%9", "plain.txt"),
        ("filename=\"plain.txt\"; filename*=UTF-8''%FF", "plain.txt"),
        ("filename=\"plain.txt\"; filename*=koi8-r''%C1", "plain.txt"),
        ("filename=\"a; filename*=UTF-8''b\"", "a; filename*=UTF-8''b"),
    ],
)
def test_a_name_is_what_the_sender_sees(sent: str, name: str) -> None:
    ((begin, data),) = read([form((f'Content-Disposition: form-data; name="file"; {sent}', b"x"))])
    assert (begin.field, begin.filename, begin.path, data) == ("file", name, (), b"x")


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ('filename="dir/say %22hi%22.txt"', ("dir", 'say "hi".txt')),
        ('filename="dir/a%2Fb"', ("dir", "a%2Fb")),
        ('filename="dir/ lead.txt"', ("dir", " lead.txt")),
        ("filename*=UTF-8''dir/%E6%97%A5.txt", ("dir", "日.txt")),
    ],
)
def test_names_in_a_folder_are_what_the_sender_sees(sent: str, path: tuple[str, ...]) -> None:
    ((begin, _),) = read([form((f'Content-Disposition: form-data; name="file"; {sent}', b"x"))])
    assert begin.path == path


@pytest.mark.parametrize(
    "sent",
    [
        'filename="."',
        'filename=".."',
        'filename="  "',
        f'filename="{"x" * 256}"',
        f'filename="{"é" * 128}"',
        'filename="line%0Abreak.txt"',
        'filename="tab\there.txt"',
        'filename="../../etc/passwd"',
        'filename="folder/"',
        'filename="dir/line%0D%0Abreak"',
        "filename*=UTF-8''%E6%9",
        "filename*=UTF-8''a%00b",
        "filename*=nonsense",
    ],
)
def test_a_name_that_could_not_be_kept_as_it_was_sent_is_refused(sent: str) -> None:
    with pytest.raises(InvalidInput):
        read([form((f'Content-Disposition: form-data; name="file"; {sent}', b"x"))])


@pytest.mark.parametrize("head", [file_part("a"), 'Content-Disposition: form-data; name="x"'])
def test_a_form_has_so_many_parts_and_no_more(monkeypatch: pytest.MonkeyPatch, head: str) -> None:
    monkeypatch.setattr("pinfold.api.multipart.MAX_PARTS", 5)
    monkeypatch.setattr("pinfold.api.multipart.MAX_FIELDS", 5)
    assert len(read([form(*[(head, b"")] * 5)])) == 5
    with pytest.raises(InvalidInput, match="more than 5"):
        read([form(*[(head, b"")] * 6, closing=False)])  # at once, not at the end


def test_a_form_of_many_small_parts_lets_others_work_between() -> None:
    turns: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield form(*[(file_part("a"), b"")] * 10_000)

    async def go() -> None:
        async def other() -> None:
            while True:
                turns.append(len(turns))
                await asyncio.sleep(0)

        running = asyncio.create_task(other())
        async for _ in parse(TYPE, body()):
            pass
        running.cancel()

    asyncio.run(go())
    assert len(turns) >= 10  # 900 KB, in pieces of 64 KiB


def test_names_in_every_script_arrive_whole() -> None:
    ((begin, _),) = read([form((file_part("日本語 Ünïcode 🎉.txt"), b"x"))])
    assert begin.filename == "日本語 Ünïcode 🎉.txt"


def test_a_type_that_says_nothing_is_none() -> None:
    types = ["image/png", "application/octet-stream", "Application/Octet-Stream; x=y", "", "a" * 300]
    parts = read([form(*[(file_part("a", extra=f"\r\nContent-Type: {one}"), b"") for one in types])])
    assert [begin.content_type for begin, _ in parts] == ["image/png", "", "", "", ""]

"""Forms as the upload widgets of web pages send them without settings of their own, and what the answer says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.platform import platform, run
from tests.unit.api.test_files import FILES, UPLOAD, names

WIDGETS: dict[str, tuple[str, dict[str, str]]] = {
    "uppy": ("file", {"relativePath": "null", "type": "image/jpeg", "name": "photo.jpg"}),
    "dropzone": ("file", {"dzuuid": "5f0c", "dzchunkindex": "0", "dztotalchunkcount": "1", "dzchunksize": "2000000"}),
    "plain form": ("file", {"_charset_": "UTF-8", "csrf_token": "abc", "submit": "Send"}),
    "fine uploader": ("qqfile", {"qquuid": "1", "qqfilename": "photo.jpg", "qqtotalfilesize": "10"}),
    "plupload": ("file", {"chunk": "0", "chunks": "1"}),
    "filepond": ("filepond", {"filepond": "{}"}),
    "jquery file upload": ("files[]", {}),
}


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_widget_uploads_and_hears_which_fields_meant_nothing(tmp_path: Path, widget: str) -> None:
    field, fields = WIDGETS[widget]

    async def go() -> None:
        async with platform(tmp_path) as at:
            sent = await at.api.post(UPLOAD, data=fields, files={field: ("photo.jpg", b"\xff\xd8\xff", "image/jpeg")})
            assert sent.status_code == 201, sent.text
            record = sent.json()["data"]
            assert (record["name"], record["content_type"]) == ("photo.jpg", "image/jpeg")
            assert sent.json().get("ignored_fields", []) == [name for name in fields if name != "name"]

    run(go())


def test_the_answer_has_a_link_that_shows_the_file(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, public_gateway_url="https://ipfs.example.com/") as at:
            file = (await at.upload(b"<p>", "a b.html"))["url"]
            assert file.startswith("https://ipfs.example.com/ipfs/baf") and file.endswith("?filename=a%20b.html")
            shown = await at.gateway.get(httpx.URL(file).raw_path.decode())
            assert (shown.content, shown.headers["content-type"]) == (b"<p>", "text/html; charset=utf-8")
            folder = await at.upload(b"<p>", "site/index.html")
            assert folder["url"] == f"https://ipfs.example.com/ipfs/{folder['cid']}/"
            put = await at.api.put(f"{FILES}/x.txt", content=b"x")
            assert put.json()["data"]["url"].endswith("?filename=x.txt")

    run(go())


@pytest.mark.parametrize(
    ("name", "data", "sent", "kind"),
    [
        ("t.json", b"{}", "application/octet-stream", "application/json"),
        ("film.mp4", bytes(100), "application/octet-stream", "video/mp4"),
        ("noext", b"%PDF-1.7", "application/octet-stream", "application/pdf"),
        ("noext", b"plain words", "", "text/plain"),
        ("a.json", b"{}", "text/x-mine", "text/x-mine"),
        ("a.unheard-of", bytes(9), "", "application/octet-stream"),
    ],
)
def test_the_type_of_an_upload_is_what_was_said_else_that_of_its_name_else_of_its_bytes(
    tmp_path: Path, name: str, data: bytes, sent: str, kind: str
) -> None:
    headers = {"Content-Type": sent} if sent else {}

    async def go() -> None:
        async with platform(tmp_path) as at:
            part: Any = (name, data, sent) if sent else (name, data)
            form = await at.api.post(UPLOAD, files={"file": part})
            put = await at.api.put(f"{FILES}/{name}", content=data, headers=headers)
            for answer in (form, put):
                if sent or answer is put:  # httpx says a type of its own in a form
                    assert answer.json()["data"]["content_type"] == kind
            assert await names(at.api) == [name]

    run(go())


def test_a_name_too_long_is_refused_in_the_file_and_in_the_field(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            long = "x" * 300 + ".txt"
            for response in (
                await at.api.post(UPLOAD, files={"file": (long, b"x")}),
                await at.api.post(UPLOAD, files={"file": ("a", b"x")}, data={"name": long}),
            ):
                assert (response.status_code, response.json()["code"]) == (400, "INVALID_INPUT")
                assert "255" in response.json()["error"] + (response.json()["hint"] or "")
            assert await names(at.api) == []

    run(go())

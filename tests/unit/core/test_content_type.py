from __future__ import annotations

import mimetypes
import time

import pytest

from pinfold.core.content_type import SNIFF_BYTES, bare_type, by_name, content_type
from tests.support.shared import shared_path

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"></svg>'
ZEROS = bytes(417)


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".m4a", "audio/mp4"),
        (".mka", "audio/x-matroska"),
        (".mkv", "video/x-matroska"),
        (".flac", "audio/flac"),
        (".ogg", "audio/ogg"),
        (".opus", "audio/ogg"),
        (".weba", "audio/webm"),
        (".mid", "audio/midi"),
        (".m3u8", "application/vnd.apple.mpegurl"),
        (".m4s", "video/iso.segment"),
        (".mpd", "application/dash+xml"),
        (".vtt", "text/vtt"),
        (".srt", "application/x-subrip"),
        (".ttf", "font/ttf"),
        (".woff2", "font/woff2"),
        (".jxl", "image/jxl"),
        (".heic", "image/heic"),
        (".glb", "model/gltf-binary"),
        (".gltf", "model/gltf+json"),
        (".xhtml", "application/xhtml+xml"),
        (".rss", "application/rss+xml"),
        (".geojson", "application/geo+json"),
        (".ics", "text/calendar"),
        (".epub", "application/epub+zip"),
        (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (".ods", "application/vnd.oasis.opendocument.spreadsheet"),
        (".apk", "application/vnd.android.package-archive"),
        (".7z", "application/x-7z-compressed"),
        (".torrent", "application/x-bittorrent"),
    ],
)
def test_a_known_suffix_decides_whatever_the_bytes_are(suffix: str, kind: str) -> None:
    for name in (f"a{suffix}", f"A.B{suffix.upper()}"):
        assert bare_type(name, ZEROS) == bare_type(name, b"") == bare_type(name, b"<html>") == kind


@pytest.mark.shared
def test_the_shared_suffixes_have_one_of_their_types() -> None:
    lines = shared_path("cases/type-by-name/suffixes.tsv").read_text().splitlines()[1:]
    for suffix, kinds in (line.split("\t") for line in lines):
        head = b"G" + ZEROS if suffix == ".ts" else ZEROS
        assert bare_type(f"x{suffix}", head) in kinds.split(" where ")[0].split(" or ")
    assert len(lines) > 30


def test_the_machine_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mimetypes, "guess_type", lambda *_: ("application/x-of-this-machine", None))
    assert bare_type("a.md", b"# Title") == "text/markdown"
    assert bare_type("a.unheard-of", ZEROS) == "application/octet-stream"


@pytest.mark.parametrize("name", ["notes-v1.1", "a.b.c", ".png", "png", "a.", "archive.unknown", ""])
def test_a_name_without_a_known_suffix_decides_nothing(name: str) -> None:
    assert by_name(name) == ""
    assert content_type(name, b"plain words") == "text/plain; charset=utf-8"


def test_ts_is_video_where_it_begins_like_one() -> None:
    assert bare_type("a.ts", b"G" + ZEROS) == "video/mp2t"
    assert bare_type("a.ts", b"const a: number = 1;") == "text/plain"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"<!DOCTYPE html><p>x</p>", "text/html; charset=utf-8"),
        (b"<!-- note --><html><body>x</body></html>", "text/html; charset=utf-8"),
        (b"\n  <title>x</title>", "text/html; charset=utf-8"),
        *((b"<%s>x" % tag, "text/html; charset=utf-8") for tag in (b"p", b"DIV", b"h1", b"table", b"body", b"a", b"b")),
        (b"<script src=x>", "text/html; charset=utf-8"),
        (b"<iframe src=x></iframe>", "text/html; charset=utf-8"),
        (b"\xef\xbb\xbf<html>", "text/html; charset=utf-8"),
        (b"<pre>", "text/plain; charset=utf-8"),
        (b"<paragraph>", "text/plain; charset=utf-8"),
        (b"a < b and <pre", "text/plain; charset=utf-8"),
        (SVG, "image/svg+xml"),
        (b'<?xml version="1.0" encoding="UTF-8"?>\n' + SVG, "image/svg+xml"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- drawn by hand -->\n' + SVG, "image/svg+xml"),
        (b"<!-- a --><!-- b -->\n" + SVG, "image/svg+xml"),
        (b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x.dtd">' + SVG, "image/svg+xml"),
        (b'<?xml version="1.0"?><note/>', "text/xml; charset=utf-8"),
        (b"hello", "text/plain; charset=utf-8"),
        (b"", "text/plain; charset=utf-8"),
        (b"caf\xe9 au lait", "text/plain"),
        (b"\xff\xfeh\x00e\x00l\x00l\x00o\x00", "text/plain"),
        (b"\xfe\xff\x00h\x00e", "text/plain"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x00\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"FORM\x00\x00\x00\x00AIFFCOMM", "audio/aiff"),
        (b"\x00\x00\x00\x1cftypavif", "image/avif"),
        (b"\x00\x00\x00\x1cftypheic", "image/heic"),
        (b"\x00\x00\x00\x1cftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x1cftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3\x01\x00B\x82\x84webm", "video/webm"),
        (b"\x1aE\xdf\xa3\x01\x00B\x82\x88matroska", "video/x-matroska"),
        (b"OggS\x00\x02", "application/ogg"),
        (b"ID3\x04", "audio/mpeg"),
        (b"\xff\xfb\x90d", "audio/mpeg"),
        (b"fLaC\x00", "audio/flac"),
        (b"MThd\x00\x00\x00\x06\x00\x01", "audio/midi"),
        (b"%PDF-1.7", "application/pdf"),
        (b"PK\x03\x04\x14\x00", "application/zip"),
        (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zipPK", "application/epub+zip"),
        (b"\x1f\x8b\x08\x00", "application/gzip"),
        (b"\x00asm\x01\x00\x00\x00", "application/wasm"),
        (b"\x00\x01\x00\x00\x00\x10", "font/ttf"),
        (b"OTTO\x00", "font/otf"),
        (b"wOF2\x00", "font/woff2"),
        (b"glTF\x02\x00\x00\x00", "model/gltf-binary"),
        (b"BM\x36\x00\x00\x00", "image/bmp"),
        (b"BMW is a maker of cars", "text/plain; charset=utf-8"),
        (ZEROS, "application/octet-stream"),
    ],
)
def test_without_a_suffix_the_first_bytes_decide(head: bytes, kind: str) -> None:
    assert content_type("", head) == content_type("a-name-without-one", head) == kind


@pytest.mark.shared
def test_the_shared_samples_have_their_types() -> None:
    folder = shared_path("cases/type-of-markup")
    for sample, kind in (line.split("\t") for line in (folder / "types.tsv").read_text().splitlines()[1:]):
        found = content_type("", (folder / sample).read_bytes())
        bare = found.partition(";")[0]
        assert bare in kind.replace(" without charset=utf-8", "").split(" or "), sample
        assert "without charset" not in kind or found == bare, sample


def test_a_character_cut_by_the_end_of_what_is_looked_at_is_still_utf_8() -> None:
    head = ("x" * (SNIFF_BYTES - 1) + "é").encode()[:SNIFF_BYTES]
    assert content_type("", head) == "text/plain; charset=utf-8"


@pytest.mark.parametrize("part", [b"<!---->", b"<!-- ", b"<!doctype svg [", b"<?xml ", b" ", b"<!doctype svg>"])
def test_no_beginning_takes_long_to_look_at(part: bytes) -> None:
    began = time.process_time()
    bare_type("", (part * SNIFF_BYTES)[:SNIFF_BYTES])
    assert time.process_time() - began < 1  # backtracking over nested comments would take for ever

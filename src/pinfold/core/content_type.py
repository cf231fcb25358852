"""What kind of content a file is: by its name's suffix, else by its first bytes.

The table is our own and never the machine's, so the same file has the same type on every server, when it is uploaded
and when it is served.

Source:  mimesniff.spec.whatwg.org for the bytes; SVG, documents and archives that it leaves out are added.
"""

from __future__ import annotations

import re
from typing import Final

SNIFF_BYTES: Final = 512  # browsers look at up to 1445; longer beginnings decide only behind long comments
UNKNOWN: Final = "application/octet-stream"

_SUFFIXES: Final = """
application/atom+xml                  atom
application/dash+xml                  mpd
application/epub+zip                  epub
application/geo+json                  geojson
application/gzip                      gz tgz
application/java-archive              jar
application/json                      json map
application/ld+json                   jsonld
application/manifest+json             webmanifest
application/msword                    doc
application/pdf                       pdf
application/postscript                ps eps ai
application/rss+xml                   rss
application/rtf                       rtf
application/toml                      toml
application/vnd.android.package-archive  apk
application/vnd.apple.mpegurl         m3u8
application/vnd.ipld.car              car
application/vnd.ms-excel              xls
application/vnd.ms-fontobject         eot
application/vnd.ms-powerpoint         ppt
application/vnd.oasis.opendocument.graphics      odg
application/vnd.oasis.opendocument.presentation  odp
application/vnd.oasis.opendocument.spreadsheet   ods
application/vnd.oasis.opendocument.text          odt
application/vnd.openxmlformats-officedocument.presentationml.presentation  pptx
application/vnd.openxmlformats-officedocument.spreadsheetml.sheet          xlsx
application/vnd.openxmlformats-officedocument.wordprocessingml.document    docx
application/vnd.rar                   rar
application/vnd.sqlite3               sqlite sqlite3
application/wasm                      wasm
application/x-7z-compressed           7z
application/x-bittorrent              torrent
application/x-bzip2                   bz2
application/x-iso9660-image           iso
application/x-mobipocket-ebook        mobi
application/x-ndjson                  ndjson
application/x-subrip                  srt
application/x-tar                     tar
application/x-xz                      xz
application/xhtml+xml                 xhtml xht
application/xml                       xml xsl
application/yaml                      yaml yml
application/zip                       zip
application/zstd                      zst
audio/aac                             aac
audio/aiff                            aif aiff
audio/flac                            flac
audio/midi                            mid midi
audio/mp4                             m4a m4b
audio/mpeg                            mp3
audio/ogg                             oga ogg opus spx
audio/wav                             wav
audio/webm                            weba
audio/x-matroska                      mka
font/collection                       ttc
font/otf                              otf
font/ttf                              ttf
font/woff                             woff
font/woff2                            woff2
image/apng                            apng
image/avif                            avif
image/bmp                             bmp
image/gif                             gif
image/heic                            heic
image/heif                            heif
image/jpeg                            jpg jpeg jpe jfif
image/jxl                             jxl
image/png                             png
image/svg+xml                         svg
image/tiff                            tif tiff
image/vnd.adobe.photoshop             psd
image/webp                            webp
image/x-icon                          ico
model/gltf+json                       gltf
model/gltf-binary                     glb
model/obj                             obj
model/stl                             stl
model/vnd.usdz+zip                    usdz
text/calendar                         ics
text/css                              css
text/csv                              csv
text/html                             html htm
text/javascript                       js mjs
text/markdown                         md markdown
text/plain                            txt text log
text/tab-separated-values             tsv
text/vcard                            vcf
text/vtt                              vtt
video/3gpp                            3gp
video/iso.segment                     m4s
video/mp4                             mp4 m4v
video/mpeg                            mpg mpeg
video/ogg                             ogv
video/quicktime                       mov
video/webm                            webm
video/x-matroska                      mkv
video/x-msvideo                       avi
"""
"""Suffixes that mean one thing everywhere.  Sources of programs are left out: their bytes show that they are text."""


def _table() -> dict[str, str]:
    rows = (line.split() for line in _SUFFIXES.strip().splitlines())
    return {suffix: kind for kind, *suffixes in rows for suffix in suffixes}


_BY_SUFFIX: Final = _table()
_TRANSPORT_STREAM: Final = ("ts", b"G")  # each of its packets begins with 0x47; other files so called are TypeScript

_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (0, b"\x00\x00\x01\x00", "image/x-icon"),
    (0, b"\x00\x00\x02\x00", "image/x-icon"),
    (0, b"II*\x00", "image/tiff"),
    (0, b"MM\x00*", "image/tiff"),
    (0, b"\xff\x0a", "image/jxl"),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
    (8, b"WAVE", "audio/wav"),
    (8, b"AVI ", "video/x-msvideo"),
    (8, b"AIFF", "audio/aiff"),
    (0, b"OggS\x00", "application/ogg"),
    (0, b"MThd\x00\x00\x00\x06", "audio/midi"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"\xff\xf1", "audio/aac"),
    (0, b"\xff\xf9", "audio/aac"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"%!PS-Adobe-", "application/postscript"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"\xfd7zXZ\x00", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"SQLite format 3\x00", "application/vnd.sqlite3"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"OTTO", "font/otf"),
    (0, b"ttcf", "font/collection"),
    (0, b"\x00\x01\x00\x00", "font/ttf"),
    (0, b"glTF", "model/gltf-binary"),
)
_IN_RIFF_OR_FORM: Final = ("image/webp", "audio/wav", "video/x-msvideo", "audio/aiff")
_BRANDS: Final = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heif",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
}
_MP3_FRAME: Final = re.compile(rb"\xff[\xfa\xfb\xf2\xf3][\x10-\xef]")
_HTML: Final = re.compile(
    rb"[\t\n\f\r ]*<(?:!--|"
    rb"(?:!doctype[ ]html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[ >])",
    re.IGNORECASE,
)
_SVG: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*|<!doctype\s+svg\b[^>\[]*(?:\[[^\]]*\]\s*)?>\s*)*<(?:svg:)?svg[\s>/]",
    re.IGNORECASE | re.DOTALL,
)
_XML: Final = re.compile(rb"[\t\n\f\r ]*<\?xml")
_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xfe\xff", b"\xff\xfe")
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")


def content_type(name: str, head: bytes) -> str:
    """The Content-Type of a file called ``name`` that begins with ``head`` (up to ``SNIFF_BYTES``)."""
    kind = bare_type(name, head)
    if kind.startswith("text/") and _is_utf8(head):
        return f"{kind}; charset=utf-8"
    return kind


def bare_type(name: str, head: bytes) -> str:
    """The same without a charset; ``UNKNOWN`` where neither the name nor the bytes show anything."""
    return by_name(name, head) or _sniff(head)


def by_name(name: str, head: bytes = b"") -> str:
    """The type that the suffix of a name stands for; empty where it stands for none."""
    stem, dot, suffix = name.rpartition(".")
    if not (dot and stem):
        return ""
    suffix = suffix.lower()
    if suffix == _TRANSPORT_STREAM[0]:
        return "video/mp2t" if head.startswith(_TRANSPORT_STREAM[1]) else ""
    return _BY_SUFFIX.get(suffix, "")


def _sniff(head: bytes) -> str:
    text = head.removeprefix(_UTF8_MARK)
    if _SVG.match(text):
        return "image/svg+xml"
    if _HTML.match(text):
        return "text/html"
    if _XML.match(text):
        return "text/xml"
    if head.startswith(_UTF16_MARKS) and len(head) >= 4:
        return "text/plain"
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset) and (kind not in _IN_RIFF_OR_FORM or head[:4] in (b"RIFF", b"FORM")):
            return _packed(head) if kind == "application/zip" else kind
    if head.startswith(b"ftyp", 4):
        return _BRANDS.get(head[8:12], "video/mp4")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/x-matroska" if b"matroska" in head[:64] else "video/webm"
    if _MP3_FRAME.match(head):
        return "audio/mpeg"
    if head.startswith(b"BM") and _BINARY.search(head):
        return "image/bmp"
    return UNKNOWN if _BINARY.search(head) else "text/plain"


def _packed(head: bytes) -> str:
    """The type of a zip archive whose first entry is its type, as e-books and OpenDocument have it."""
    if head[30:38] != b"mimetype":
        return "application/zip"
    for kind in _BY_SUFFIX.values():
        if ("opendocument" in kind or "epub" in kind) and head.startswith(kind.encode() + b"PK", 38):
            return kind
    return "application/zip"


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as exc:
        # A character may be cut by the end of what was looked at.
        return exc.reason == "unexpected end of data" and len(head) >= SNIFF_BYTES
    return True

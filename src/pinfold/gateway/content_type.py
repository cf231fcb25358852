"""What kind of content a file is: by its name, else by its first bytes."""

from __future__ import annotations

import mimetypes
from typing import Final

SNIFF_BYTES: Final = 512  # what browsers look at

# Our own table and the language's, never the machine's: the same file gets the same type everywhere.
_BY_NAME: Final = mimetypes.MimeTypes(filenames=())
for _kind, _suffix in (
    ("application/wasm", ".wasm"),
    ("font/woff", ".woff"),
    ("font/woff2", ".woff2"),
    ("image/avif", ".avif"),
    ("image/webp", ".webp"),
    ("text/csv", ".csv"),
    ("text/javascript", ".js"),
    ("text/javascript", ".mjs"),
    ("text/markdown", ".md"),
    ("text/plain", ".log"),
    ("video/mp4", ".m4v"),
    ("application/vnd.ipld.car", ".car"),
    ("application/gzip", ".gz"),
    ("application/zstd", ".zst"),
):
    _BY_NAME.add_type(_kind, _suffix)
_BY_NAME.encodings_map.clear()  # a .gz is sent as it is, not as something compressed on the way

_MAGIC: Final[tuple[tuple[int, bytes, str], ...]] = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF87a", "image/gif"),
    (0, b"GIF89a", "image/gif"),
    (8, b"WEBPVP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
    (8, b"WAVE", "audio/wave"),
    (0, b"OggS\x00", "application/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"\x00asm", "application/wasm"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
)
_MARKUP: Final[tuple[tuple[bytes, str], ...]] = (
    (b"<!doctype html", "text/html"),
    (b"<html", "text/html"),
    (b"<head", "text/html"),
    (b"<svg", "image/svg+xml"),
    (b"<?xml", "text/xml"),
)
_UNTYPED: Final = "application/octet-stream"


def content_type(name: str, head: bytes) -> str:
    """The Content-Type of a file called ``name`` that begins with ``head`` (up to ``SNIFF_BYTES``)."""
    kind = _BY_NAME.guess_type(f"/{name}", strict=True)[0] if name else None
    kind = kind or _sniff(head)
    if kind.startswith("text/") and _is_utf8(head):
        return f"{kind}; charset=utf-8"
    return kind


def _sniff(head: bytes) -> str:
    for offset, magic, kind in _MAGIC:
        if head.startswith(magic, offset):
            return kind
    beginning = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for mark, kind in _MARKUP:
        if beginning.startswith(mark):
            return kind
    is_text = _is_utf8(head) and not any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head)
    return "text/plain" if is_text else _UNTYPED


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as exc:
        # A character may be cut by the end of what was looked at.
        return exc.reason == "unexpected end of data" and len(head) >= SNIFF_BYTES
    return True

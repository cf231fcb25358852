"""The Content-Disposition of a part of a form: its field, and the name of its file as the sender's user sees it.

Sources:  HTML, "multipart/form-data encoding algorithm" (browsers write ``"``, CR and LF as ``%22``, ``%0D``, ``%0A``,
          and nothing else so); RFC 2183 and RFC 7578 (quoted strings); RFC 5987 (``filename*``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from pinfold.core.errors import InvalidInput

HINT: Final = "Send files as multipart/form-data, for example: curl -F file=@photo.jpg …"
_PARAMETER: Final = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"(?=[ \t]*(?:;|$))|[^;]*)[ \t]*')
_ESCAPED: Final = re.compile(r'\\(["\\])')
_BY_BROWSERS: Final = (("%22", '"'), ("%0D", "\r"), ("%0A", "\n"))
_WINDOWS_PATH: Final = re.compile(r"(?:[A-Za-z]:\\|\\\\).*\\")
_EXTENDED: Final = re.compile(r"(utf-8|iso-8859-1)'[^']*'((?:[^%\s'\"]|%[0-9A-Fa-f]{2})*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a part says of itself."""

    field: str
    filename: str | None
    """A name or a path with slashes, decoded and otherwise as it was sent; None for a field that is no file."""


def read(header: bytes) -> Disposition:
    """The disposition of a part.  Raises: InvalidInput, also for a name that cannot be read."""
    text = header.decode("latin-1")
    kind, _, _ = text.partition(";")
    given: dict[str, str] = {}
    for match in _PARAMETER.finditer(text, len(kind)):
        given[match[1].lower()] = match[2].strip()
    if kind.strip().lower() != "form-data" or "name" not in given:
        raise InvalidInput("a part of the form has no Content-Disposition with a name", hint=HINT)
    return Disposition(_plain(given["name"]), _filename(given))


def _filename(given: dict[str, str]) -> str | None:
    if "filename*" in given:  # before a plain one, which is then an approximation for older readers
        name = _extended(given["filename*"])
        if name is not None:
            return name
        if "filename" not in given:
            raise InvalidInput(
                "the filename* of a part cannot be read",
                hint="Write it as RFC 5987 has it, such as filename*=UTF-8''na%C3%AFve.txt",
            )
    if "filename" not in given:
        return None
    name = _plain(given["filename"])
    return _WINDOWS_PATH.sub("", name)  # old browsers sent the whole path


def _plain(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    for written, meant in _BY_BROWSERS:
        value = value.replace(written, meant)
    return _text(value.encode("latin-1"))


def _extended(value: str) -> str | None:
    match = _EXTENDED.fullmatch(value.strip('"'))
    if match is None:
        return None
    try:
        name = unquote_to_bytes(match[2]).decode(match[1].lower())
    except UnicodeDecodeError:
        return None
    return None if "\0" in name or not name else name


def _text(value: bytes) -> str:
    if b"\0" in value:
        raise InvalidInput("a name in the form holds a NUL character", hint=HINT)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("a name in the form is not UTF-8", hint=HINT) from None

"""What no text of a request may hold: halves of surrogate pairs, which no database and no answer can carry.

JSON can write them (``"\\ud800"``), and its readers let them through.  They are refused where bodies come in, whatever
endpoint they go to, and in JSON that comes inside a parameter.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

_HALF_ESCAPED: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF: Final = re.compile(r"[\ud800-\udfff]")


def check(text: str) -> str:
    """The text, which can be stored.  Raises: ValueError."""
    if "\0" in text:
        raise ValueError("a NUL character cannot be stored")
    if _HALF.search(text):
        raise ValueError("half of a surrogate pair is no text")
    return text


def check_encoded(part: bytes) -> None:
    """Pass a path or query, percent-encoded as it was sent, whose bytes are UTF-8.  Raises: ValueError.

    Who decodes it puts U+FFFD in the place of other bytes, which must not be stored as if it had been sent.
    """
    try:
        unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        raise ValueError("what is percent-encoded must be UTF-8, and this is not") from None


def check_body(body: bytes) -> None:
    """Pass bodies whose texts are whole; what is no JSON at all is for its reader to refuse.  Raises: ValueError."""
    if b"\0" in body:
        raise ValueError("JSON is UTF-8, without NUL bytes")
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            raise ValueError("JSON is UTF-8, and this is not") from None
    if not _HALF_ESCAPED.search(body):
        return
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return
    check_value(said)


def check_value(said: Any) -> None:
    """Pass what was read from JSON where every text of it, keys as well, is whole.  Raises: ValueError."""
    try:
        json.dumps(said, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair, such as \\ud800 alone, is no text") from None

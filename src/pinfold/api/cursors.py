"""Cursors of lists: where a page ended, as text that clients send back and do not read."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

import orjson

from pinfold.api import texts
from pinfold.core.errors import InvalidInput

MAX_CHARACTERS: Final = 1024  # a time, a name and a number fit many times

Part = str | int | float | None


def encode(*parts: Part) -> str:
    """The values that the next page begins behind, as one opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode("ascii")


def decode(cursor: str, *types: type[Part]) -> list[Part]:
    """The values of a cursor, which have just these types.  Raises: InvalidInput."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        parts = json.loads(base64.b64decode(padded, b"-_", validate=True))
        texts.check_value(parts)
    except (ValueError, binascii.Error, RecursionError):
        parts = None
    if not isinstance(parts, list) or [type(part) for part in parts] != list(types):
        raise InvalidInput("this cursor is none of this list", hint="Send `next_cursor` of the page before as it is.")
    return parts


def decode_number(cursor: str | None) -> int | None:
    """The number of a cursor that holds nothing else; None where none was sent.  Raises: InvalidInput."""
    if cursor is None:
        return None
    (number,) = decode(cursor, int)
    if not isinstance(number, int) or not 0 <= number < 1 << 63:
        raise InvalidInput("this cursor is none of this list", hint="Send `next_cursor` of the page before as it is.")
    return number

"""How large the body of a request may be, and how many values it may hold, by where it goes; one table."""

from __future__ import annotations

import re
from typing import Final

MAX_BODY_BYTES: Final = 64 * 1024
"""Of everything that is not listed here: JSON of a few fields."""
MAX_BULK_BYTES: Final = 16 << 20
"""Of lists: 10,000 entries of CIDs, names and metadata."""
MAX_VALUES: Final = 20_000
"""In the JSON of a body: a list of 10,000 CIDs or ids, and more than stands around it."""
MAX_BULK_VALUES: Final = 640_000
"""In a list of 10,000 pins: 64 of each, though most have ten."""
UPLOADS: Final = "/api/v1/files"

_STREAMED: Final = (
    re.compile(rf"{UPLOADS}/(upload|car)"),
    re.compile(rf"{UPLOADS}/tus(/[^/]*)?"),
)
_STREAMED_PUT: Final = re.compile(rf"{UPLOADS}/[^/]+")
_PINS: Final = "/api/v1/pins/bulk/add"
_BULK: Final = re.compile(r"/api/v1/(files/missing|files/batch/[a-z]+|pins/bulk/[a-z]+|usage/would-free)")


def limit_of(method: str, path: str) -> int | None:
    """Bytes that the body of such a request may have; None where it is streamed and its endpoint bounds it itself."""
    if method == "PUT" and _STREAMED_PUT.fullmatch(path):
        return None
    if method in ("POST", "PATCH") and any(pattern.fullmatch(path) for pattern in _STREAMED):
        return None
    return MAX_BULK_BYTES if _BULK.fullmatch(path) else MAX_BODY_BYTES


def most_values(path: str) -> int:
    """How many values the JSON may hold that is sent to a path; to read more would cost more than any request does."""
    return MAX_BULK_VALUES if path == _PINS else MAX_VALUES

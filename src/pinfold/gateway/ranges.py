"""Byte ranges of a file."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pinfold.gateway.errors import Refusal

_SINGLE: Final = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE | re.ASCII)
_MAX_DIGITS: Final = 19  # more than any file has


class ByteRange(NamedTuple):
    """Bytes ``start`` up to, not including, ``stop``."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Bytes in the range."""
        return self.stop - self.start


def parse(header: str, size: int) -> ByteRange | None:
    """The one range that ``header`` asks for; None where the whole file is to be sent.

    A header that cannot be read, or that asks for several ranges, is ignored, as RFC 9110 (14.2) allows.
    Raises:  Refusal (416) for a range that lies behind the end.
    """
    match = _SINGLE.fullmatch(header.strip())
    if match is None or max(map(len, match.groups())) > _MAX_DIGITS:
        return None
    first, last = match.groups()
    if not first and not last:
        return None
    if size == 0:
        return None  # programs that always ask for a range get the empty file rather than an error
    if not first:
        wanted = ByteRange(max(0, size - int(last)), size)
    else:
        if last and int(last) < int(first):
            return None
        wanted = ByteRange(int(first), min(int(last) + 1, size) if last else size)
    if wanted.length <= 0:
        raise Refusal(416, f"the file has {size:,} bytes", {"Content-Range": f"bytes */{size}"})
    return wanted

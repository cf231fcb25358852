"""Identifiers of rows: UUIDs of version 7, so that their order is the order of creation."""

from __future__ import annotations

import secrets
import time
import uuid


def new_id() -> str:
    """A fresh identifier; later ones sort after earlier ones (by millisecond).

    Source:  RFC 9562, 5.7.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62
    return str(uuid.UUID(int=value | secrets.randbits(62)))

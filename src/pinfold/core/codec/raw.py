"""The codec ``raw``: bytes that mean themselves."""

from __future__ import annotations

from pinfold.core.codec.value import Value
from pinfold.core.errors import MalformedBlock


def encode(value: Value) -> bytes:
    """The bytes.  Raises: MalformedBlock for anything else."""
    if not isinstance(value, bytes):
        raise MalformedBlock(f"raw carries bytes, not {type(value).__name__}")
    return value

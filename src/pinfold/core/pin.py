"""Pins: which roots are kept, how deep, and under what name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pinfold.core.cid import CID

PLATFORM_PIN_NAME: Final = "pinfold:platform"
"""The name of pins that the platform keeps for its files and requests; what people pin by hand has other names."""


class PinMode(StrEnum):
    """How much of a DAG a pin keeps."""

    RECURSIVE = "recursive"
    """The root and everything it reaches."""
    DIRECT = "direct"
    """The root's own block and nothing below it."""
    INDIRECT = "indirect"
    """Not pinned itself, but reached by a recursive pin."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One entry of the pinset.

    Units:  ``created_at`` is seconds since 1970, UTC.
    """

    cid: CID
    mode: PinMode
    name: str = ""
    created_at: float = 0.0
    profile: str = ""
    """How the DAG was built, where it was built here: enough to derive the same CID again."""
    blocks: int = 0
    """Blocks kept, the root included; 0 for indirect pins."""
    via: CID | None = None
    """Of an indirect pin that was asked for: a root that keeps it."""

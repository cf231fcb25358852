"""Types of accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TOKEN_PREFIX: Final = "pf_"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request."""

    token_id: str
    name: str

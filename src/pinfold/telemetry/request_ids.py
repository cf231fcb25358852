"""The id that a request has in log lines and in its answer."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any, Final

HEADER: Final = b"x-request-id"
_USABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def of(scope: Mapping[str, Any]) -> str:
    """The id that the client gave a request (an ASGI scope), where it is well-formed; else a fresh one."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    given = next((value for name, value in headers if name == HEADER), b"").decode("latin-1")
    return given if _USABLE.fullmatch(given) else f"{random.getrandbits(64):016x}"  # it names, and protects nothing

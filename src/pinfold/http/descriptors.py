"""File descriptors: as many as the system allows, and how many of them connections may take."""

from __future__ import annotations

import resource
from typing import Final

_KEPT_BACK: Final = 256
"""At least so many stay for what is no connection: segments, the database, uploads, requests that fetch."""
_FEWEST: Final = 16  # a listener with fewer is of no use


def raise_limit() -> int:
    """Raise the soft limit of open files to the hard one, and give what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            pass  # macOS says "unlimited", and takes less
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft if soft != resource.RLIM_INFINITY else 1 << 20


def connections_for_each(wanted: int, listeners: int, descriptors: int) -> int:
    """How many connections each of some listeners may have: those wanted, or its share of the descriptors.

    A quarter of the descriptors, and at least 256, is kept back for files.
    """
    kept_back = max(_KEPT_BACK, descriptors // 4)
    return max(_FEWEST, min(wanted, (descriptors - kept_back) // max(1, listeners)))

"""How much a long job does in one write transaction, so that others who wait for the lock hardly notice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

_TARGET_SECONDS: Final = 0.025
_PAUSE_SECONDS: Final = 0.002  # LMDB's lock is not fair: without a pause the next writer may never get it
_FIRST_ROWS: Final = 4096
_LEAST_ROWS: Final = 512
_MOST_ROWS: Final = 16_384


def paced(count: int) -> Iterator[slice]:
    """``range(count)`` in slices, each to be done in one transaction before the next is asked for.

    Their length follows how long the last one took, so that a busy or slow machine gets shorter ones.
    """
    rows, at = _FIRST_ROWS, 0
    while at < count:
        begun = time.monotonic()
        yield slice(at, min(count, at + rows))
        spent = time.monotonic() - begun
        at += rows
        fitting = int(rows * _TARGET_SECONDS / max(spent, 1e-4))
        rows = max(_LEAST_ROWS, min(_MOST_ROWS, 2 * rows, fitting))
        time.sleep(_PAUSE_SECONDS)

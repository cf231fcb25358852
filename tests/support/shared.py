"""Fixtures that are not the project's own: they lie beside a full checkout and are read in place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared"


def shared_path(rel: str) -> Path:
    """The path of a shared fixture; without it the test is skipped, or fails where nothing may be missing."""
    path = SHARED / rel
    if path.exists():
        return path
    reason = f"the shared fixtures are not here ({rel}); only a full checkout has them beside it"
    if os.environ.get("PINFOLD_REQUIRE_ENGINES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def shared_names(rel: str, pattern: str) -> list[str]:
    """The names of the shared fixtures that match, for parametrising; one that is not there when there are none.

    The test then asks ``shared_path`` for it, and so says why it does not run.
    """
    return sorted(path.name for path in (SHARED / rel).glob(pattern)) or ["absent"]

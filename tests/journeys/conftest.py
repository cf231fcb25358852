"""A program of its own for every test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Pinfold


@pytest.fixture
def pinfold(tmp_path: Path) -> Pinfold:
    """``pinfold`` on an empty data folder, in an empty working folder."""
    return Pinfold(tmp_path)

"""What ``make`` says where it cannot begin."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_a_python_that_cannot_be_run_is_not_called_old(tmp_path: Path) -> None:
    shutil.copy(MAKEFILE, tmp_path)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).touch()
    said = subprocess.run(
        ["make", "PYTHON=/nonexistent", "up"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert said.returncode != 0
    assert "'/nonexistent' cannot be run" in said.stdout
    assert "older" not in said.stdout.replace("or newer", "")

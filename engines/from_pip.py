"""Tools that pip can bring, each into a private environment under ``.engines``, of locked versions and hashes."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

from engines.places import ENGINES, HERE, Unavailable


def environment_of(tool: str) -> Path:
    """The private environment that ``engines/TOOL.lock`` is installed into."""
    return ENGINES / f"{tool}-venv"


def bring(tool: str) -> Path:
    """Make ``.engines/TOOL-venv`` anew with what ``engines/TOOL.lock`` pins, and return it.

    Raises: Unavailable, when pip cannot.
    """
    place = environment_of(tool)
    print(f"No {tool} here: pip brings one into {place} …", flush=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = ["--require-hashes", "--only-binary", ":all:", "-r", str(HERE / f"{tool}.lock")]
    try:
        venv.create(place, with_pip=True, clear=True)
        subprocess.run([*pip, "install", *wanted], check=True)
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unavailable(f"pip could not install {tool}.lock (its words stand above)") from exc
    return place

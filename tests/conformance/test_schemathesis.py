"""schemathesis over the whole description: no failure of the server, no answer that the description does not know."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis

from pinfold.api.application import openapi
from pinfold.core.cid import CID
from pinfold.core.multihash import IDENTITY
from tests.support import schemathesis_hooks as hooks
from tests.support.cli import Pinfold
from tests.support.store_worker import car_of
from tests.support.up import Up

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 500
SOAK_TIMEOUT_S = 3600
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "ignored_auth",
    "use_after_free",
)
GROUPS = {
    "files": r"^/api/v1/(files|jobs)",
    "pins": r"^(/api/v1/pins|/psa)",
    "people": r"^(?!/api/v1/(files|jobs|pins)|/psa)",
}
"""What a run goes over: each has a platform of its own, so that they can run side by side."""
CONFIGURATION = """
cache.enabled = false
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 412, 415, 422]
"""
PASSWORD = "correct horse battery staple"
ONE, OTHER = (str(CID.of(word, hash_code=IDENTITY)) for word in (b"one", b"other"))
TUS = {"Tus-Resumable": "1.0.0"}


BY_HAND = frozenset(
    {
        "POST /api/v1/files/upload",
        "POST /api/v1/files/car",
        "POST /api/v1/files/tus",
        "HEAD /api/v1/files/tus/{id}",
        "GET /api/v1/files/tus/{id}",
        "PATCH /api/v1/files/tus/{id}",
        "POST /api/v1/files/tus/{id}",
        "DELETE /api/v1/files/tus/{id}",
        "POST /api/v1/files/{id}/similar",
        "GET /api/v1/jobs/{id}",
        "GET /psa/pins/{requestid}",
        "POST /psa/pins/{requestid}",
        "DELETE /psa/pins/{requestid}",
        "POST /api/v1/invitations/accept",
        "POST /api/v1/sign-up",
        "POST /api/v1/usage/would-free",
        "POST /api/v1/sessions",
        "DELETE /api/v1/sessions",
        "PATCH /api/v1/organisation/members/{id}",
        "DELETE /api/v1/organisation/members/{id}",
    }
)
"""What made-up requests may never get right: behind ids that stand in headers, passwords and whole CARs."""


@pytest.fixture
def pinfold(tmp_path: Path) -> Pinfold:
    """``pinfold`` on an empty data folder."""
    return Pinfold(tmp_path)


class Described:
    """Calls operations, and holds what they answer against the description."""

    def __init__(self, up: Up) -> None:
        self._api = up.api
        self._description = openapi()
        self._schema = schemathesis.openapi.from_dict(self._description)
        self.called: set[str] = set()

    def __call__(self, label: str, status: int, place: str = "", **request: Any) -> httpx.Response:
        """The answer to a request of an operation; ``place`` stands for what its path leaves open."""
        method, path = label.split()
        response = self._api.request(method, re.sub(r"{\w+}", place, path), **request)
        assert response.status_code == status, response.text
        assert str(status) in self._description["paths"][path][method.lower()]["responses"]
        response.request.read()  # which the check looks at
        self._schema[path][method].validate_response(response)
        self.called.add(label)
        return response


def test_what_made_up_requests_hardly_reach_is_as_described(pinfold: Pinfold) -> None:
    with Up(pinfold, sign_up="open", anonymous_requests="0") as up:
        call = Described(up)
        file = call("POST /api/v1/files/upload", 201, files={"file": ("a.txt", b"a file")}).json()["data"]
        call("POST /api/v1/usage/would-free", 200, json={"files": [file["id"]]})
        job = call("POST /api/v1/files/{id}/similar", 202, file["id"]).json()["data"]["id"]
        call("GET /api/v1/jobs/{id}", 200, job)
        call("POST /api/v1/files/upload", 200, files={"file": ("a.txt", b"a file")})
        car = {"Content-Type": "application/vnd.ipld.car"}
        call("POST /api/v1/files/car", 201, content=car_of(1, 3)[1], headers=car)

        begun = call("POST /api/v1/files/tus", 201, headers={**TUS, "Upload-Length": "8"})
        upload = begun.headers["location"].rpartition("/")[2]
        call("HEAD /api/v1/files/tus/{id}", 200, upload, headers=TUS)
        half = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}
        call("PATCH /api/v1/files/tus/{id}", 204, upload, headers=half, content=b"half")
        call("GET /api/v1/files/tus/{id}", 200, upload)
        for method, status in (("HEAD", 200), ("DELETE", 204)):
            call("POST /api/v1/files/tus/{id}", status, upload, headers={**TUS, "X-HTTP-Method-Override": method})
        begun = call("POST /api/v1/files/tus", 201, headers={**TUS, "Upload-Length": "8"})
        call("DELETE /api/v1/files/tus/{id}", 204, begun.headers["location"].rpartition("/")[2], headers=TUS)

        one = call("POST /psa/pins", 202, json={"cid": ONE, "name": "one", "meta": {"a": "b"}}).json()["requestid"]
        up.until_pinned(ONE)
        call("GET /psa/pins/{requestid}", 200, one)
        assert call("GET /psa/pins", 200).json()["count"] == 1
        other = call("POST /psa/pins/{requestid}", 202, one, json={"cid": OTHER}).json()["requestid"]
        call("DELETE /psa/pins/{requestid}", 202, other)

        who = {"email": "ada@example.org", "role": "member"}
        invited = call("POST /api/v1/organisation/invitations", 201, json=who).json()["data"]
        accepted = {"token": invited["token"], "name": "Ada", "password": PASSWORD}
        call("POST /api/v1/invitations/accept", 201, json=accepted)
        signing = {"email": who["email"], "password": PASSWORD}
        session = call("POST /api/v1/sessions", 201, json=signing).json()["data"]["token"]
        call("DELETE /api/v1/sessions", 200, headers={"Authorization": f"Bearer {session}"})
        people = call("GET /api/v1/organisation/members", 200).json()["data"]
        (ada,) = (one["user_id"] for one in people if one["email"] == who["email"])
        call("PATCH /api/v1/organisation/members/{id}", 200, ada, json={"role": "viewer"})
        call("DELETE /api/v1/organisation/members/{id}", 200, ada)
        new = {"email": "new@example.org", "name": "New", "password": PASSWORD, "organisation": "New ones"}
        call("POST /api/v1/sign-up", 201, json=new)
    assert call.called >= BY_HAND


def run(up: Up, folder: Path, group: str, phases: Iterable[str], examples: int, timeout_s: float) -> str:
    """What schemathesis said of one group, where it found something; what it got is in ``folder/record``."""
    (folder / "schemathesis.toml").write_text(CONFIGURATION)
    me = up.api.get("/api/v1/me").json()["data"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SCHEMATHESIS_HOOKS": hooks.__name__,
        hooks.RECORD: str(folder / "record"),
        hooks.SPARED: ",".join((me["token_id"], me["organisation_id"], me["user"]["id"])),
    }
    command = [str(Path(sys.executable).with_name("st")), "run", f"{up.api_url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {up.token}", "--include-path-regex", GROUPS[group]]
    command += ["--checks", ",".join(CHECKS), "--phases", ",".join(phases), "--max-examples", str(examples)]
    command += ["--workers", "1", "--continue-on-failure", "--no-shrink", "--warnings", "off", "--no-color"]
    command += ["--generation-deterministic"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    return done.stdout + done.stderr if done.returncode else ""


def statuses(record: Path) -> dict[str, set[int]]:
    """What each operation answered with."""
    found = defaultdict(set)
    for line in record.read_text().splitlines():
        label, method, status = line.split("\t")
        if label.split()[0] == method:
            found[label].add(int(status))
    return found


def go_over(pinfold: Pinfold, group: str, phases: Iterable[str], examples: int, timeout_s: float) -> None:
    """The claims."""
    unlimited = {"anonymous_requests": "0", "metrics_access": "token", "sign_up": "open", "log_level": "warning"}
    with Up(pinfold, **unlimited) as up:
        found = run(up, pinfold.work, group, phases, examples, timeout_s)
        assert up.api.get("/api/v1/me").json()["data"]["plan"] == "unlimited", "the run locked itself out"
        assert up.stop() == 0
    assert not found, found
    assert "Traceback" not in up.log, up.log
    answered = statuses(pinfold.work / "record")
    operations = {
        f"{method.upper()} {path}"
        for path, item in openapi()["paths"].items()
        if re.match(GROUPS[group], path)
        for method in item
    }
    assert answered.keys() == operations
    never = {label for label, given in answered.items() if not any(status < 300 for status in given)}
    assert never <= BY_HAND, f"never succeeded, so what they answer then was not looked at: {never - BY_HAND}"


@pytest.mark.parametrize("group", GROUPS)
def test_no_answer_is_outside_the_description(pinfold: Pinfold, group: str) -> None:
    go_over(pinfold, group, ("examples", "coverage", "fuzzing"), 6, TIMEOUT_S)


@pytest.mark.soak
@pytest.mark.parametrize("group", GROUPS)
def test_no_answer_is_outside_the_description_for_long(pinfold: Pinfold, group: str) -> None:
    go_over(pinfold, group, ("examples", "coverage", "fuzzing", "stateful"), 150, SOAK_TIMEOUT_S)

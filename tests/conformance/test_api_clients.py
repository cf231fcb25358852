"""The API as other people's tools see it: its description has no errors, and generated clients work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from engines.get_client_generator import PROGRAM
from engines.get_suites import NODE, SUITES

from pinfold.api.application import openapi
from tests.support.cli import Pinfold
from tests.support.up import Up

TIMEOUT_S = 120
BYTES = "application/octet-stream"
CONFIGURATION = {
    "project_name_override": "client",
    "package_name_override": "client",
    "content_type_overrides": {"application/offset+octet-stream": BYTES, "application/vnd.ipld.car": BYTES},
}
PYTHON = """
import sys
from client import AuthenticatedClient
from client.api.files import list_files
from client.api.pins import add_pin, get_pin
from client.models import NewPin
api = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
pin = add_pin.sync(client=api, body=NewPin(cid=sys.argv[3], name="generated"))
assert get_pin.sync(pin.data.id, client=api).data.name == "generated"
assert list_files.sync(client=api, limit=1, sort_by="name").data == []
assert list_files.sync(client=api, limit=0).code == "INVALID_PARAMETER"
"""
TYPESCRIPT = """
import type { paths } from "./api"
type NewPin = paths["/api/v1/pins"]["post"]["requestBody"]["content"]["application/json"]
type Accepted = paths["/api/v1/pins"]["post"]["responses"]["202"]["content"]["application/json"]
const wish: NewPin = { cid: "x", name: "typed" }
export async function pin(): Promise<string> {
  const answer: Accepted = await (await fetch("/api/v1/pins", { method: "POST", body: JSON.stringify(wish) })).json()
  return answer.data.id
}
"""


@pytest.fixture
def description(tmp_path: Path) -> Path:
    """The description, as a file in a folder of its own."""
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(openapi()))
    return file


def run(folder: Path, *command: str | Path) -> str:
    """What a tool writes.  Raises: AssertionError where it fails."""
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "PATH": f"{NODE.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [*map(str, command)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def tool(name: str) -> Path:
    """A program of the npm packages."""
    return SUITES / "node_modules" / ".bin" / name


@pytest.mark.npm
def test_redocly_and_spectral_find_no_error(description: Path) -> None:
    run(description.parent, tool("redocly"), "lint", description.name)
    (description.parent / ".spectral.yaml").write_text('extends: ["spectral:oas"]\n')
    run(description.parent, tool("spectral"), "lint", description.name)


@pytest.mark.npm
def test_the_types_of_openapi_typescript_fit_a_program(description: Path) -> None:
    folder = description.parent
    run(folder, tool("openapi-typescript"), description.name, "-o", "api.ts", "--default-non-nullable", "false")
    (folder / "program.ts").write_text(TYPESCRIPT)
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler")
    run(folder, tool("tsc"), *options, "program.ts")


@pytest.mark.skipif(not PROGRAM.exists(), reason="no openapi-python-client here; run make engines")
def test_the_client_of_openapi_python_client_works(description: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGURATION))
    said = run(
        tmp_path,
        *(PROGRAM, "generate", "--path", description.name, "--config", "config.json"),
        *("--meta", "none", "--output-path", "client"),
    )
    assert "WARNING parsing" not in said
    assert "removal of" not in said
    (tmp_path / "program.py").write_text(PYTHON)
    (tmp_path / "data").mkdir()
    with Up(Pinfold(tmp_path / "data")) as up:
        cid = "bafkreieu7kssc4cfequph2r4a4zm4sll7hzsn46l2thih4cboior2ejmxy"
        run(tmp_path, PROGRAM.with_name("python"), "program.py", up.api_url, up.token, cid)
        curl = shutil.which("curl")
        if curl is not None:
            for path in ("/ping", "/health", "/docs", "/openapi.json"):
                assert "HTTP/1.1 200" in run(tmp_path, curl, "-sSI", "--max-time", "20", up.api_url + path), path

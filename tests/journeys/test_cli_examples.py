"""Every example in the help works as it stands there."""

from __future__ import annotations

import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from pinfold.cli import table
from tests.support.cli import TIMEOUT_S, Pinfold

# They do not end by themselves; tests/journeys/test_up.py and test_roles.py start them.
RUNS_ON = {"up", "api", "worker", "gateway"}
# They need a server, or an id that a server gave: test_push.py, test_sign_in.py, test_admin_cli.py and
# test_admin_pins_cli.py.
NEEDS_MORE = {"login", "whoami", "push", "pins", "pins add", "pins ls", "pins rm", "pins status", "files", "files ls"}
NEEDS_MORE |= {"join", "files rm", "token revoke", "file", "file list", "file show", "file rm"}
NEEDS_MORE |= {"pin status", "pin retry", "pin forget"}
# What they print is for a variable, and what there is to say about it goes elsewhere.
NOTES = {"token create", "user invite", "usage", "usage show"}


def examples() -> list[tuple[str, str]]:
    found = []
    for words, row in table.COMMANDS.items():
        if words in RUNS_ON | NEEDS_MORE:
            continue
        text = row.example and f"pinfold {row.example}"
        if row.module:
            doc = import_module(f"pinfold.cli.commands.{row.module}").command.__doc__
            text = doc.partition("Example:\n")[2].replace("\\\n", " ")
        found += [(words, line.strip()) for line in text.splitlines() if line.strip()]
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which everything that the examples name exists."""
    home = tmp_path_factory.mktemp("examples")
    pinfold = Pinfold(home)
    pinfold.write("hello.txt", b"hello\n")
    pinfold.write("photos/one.jpg", b"no real photo")
    hello = pinfold.add("--no-pin", "hello.txt")
    pinfold.add("--wrap", "hello.txt")
    pinfold("dag", "put", stdin=b'{"greeting": "hello"}')
    pinfold("block", "put", stdin=b"spare\n")
    pinfold("dag", "export", "-o", "hello.car", hello)
    pinfold("db", "upgrade")
    pinfold("org", "create", "Acme Research")
    for email, more in (("admin@example.org", ["--role", "owner", "--administrator"]), ("adam@example.org", [])):
        pinfold("user", "create", email, "--password-stdin", *more, stdin=b"a long password\n")
    return home


@pytest.mark.parametrize(("words", "line"), examples(), ids=lambda value: str(value)[:60])
def test_the_example_works(prepared: Path, tmp_path: Path, words: str, line: str) -> None:
    shutil.copytree(prepared, tmp_path / "home")
    pinfold = Pinfold(tmp_path / "home")
    program = tmp_path / "pinfold"
    program.write_text(f'#!/bin/sh\nexec {" ".join(pinfold.command())} "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=pinfold.work,
        env={**pinfold.environment, "PATH": f"{tmp_path}:{pinfold.environment['PATH']}"},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, (line, done.stderr)
    assert done.stderr == b"" or words in NOTES, line
    assert words in line

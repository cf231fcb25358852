"""The README says what happens: its commands are typed, and its outputs compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.kubo import IPFS, Kubo
from tests.support.up import Up

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
GATEWAY, API = "http://127.0.0.1:8080", "http://127.0.0.1:3000"
NUMBERS = "bafybeia5pfzninqykvo3e56yh3dcyc4wqp32ssowsneyn7ixm37rxwhqfy"

# What no two runs have in common.
CHANGING = (
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b", "ID"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "TIME"),
    (TOKEN := r"\bpf_[\w-]{43}", "pf_…"),
)


class Typed(NamedTuple):
    """A command of the README and what it prints there."""

    command: str
    output: str


def blocks(heading: str, language: str) -> list[str]:
    """The code blocks of one language in one section."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def typed(heading: str) -> Iterator[Typed]:
    """Every command of a section with its output."""
    for block in blocks(heading, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield Typed(command, output)


def masked(text: str) -> str:
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return text


class Shell:
    """Types commands as the README's reader does, whatever the ports and the tokens really are."""

    def __init__(self, pinfold: Pinfold, up: Up, kubo: Kubo | None = None) -> None:
        self._work = pinfold.work
        self._real = {GATEWAY: up.gateway_url, API: up.api_url}
        self._last_token = up.token
        programs = pinfold.home / "bin"
        programs.mkdir()
        program = programs / "pinfold"
        program.write_text(f'#!/bin/sh\nexec {" ".join(pinfold.command())} "$@"\n')
        program.chmod(0o755)
        self._environment = {
            **pinfold.environment,
            "PATH": f"{programs}:{IPFS.parent}:{os.environ['PATH']}",
            "TOKEN": up.token,
            "no_proxy": "127.0.0.1",
        }
        if kubo is not None:
            self._environment["IPFS_PATH"] = str(kubo.home)

    def type(self, command: str) -> str:
        """What a command prints, as it would with the ports of the README; a variable is set to the last token seen."""
        if exported := re.fullmatch(r"export (\w+)=pf_…", command):
            self._environment[exported[1]] = self._last_token
            return ""
        for shown, real in self._real.items():
            command = command.replace(shown, real)
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=self._work,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        printed = done.stdout
        self._last_token = (re.findall(TOKEN, printed) or [self._last_token])[-1]
        for shown, real in self._real.items():
            printed = printed.replace(real, shown)
        return printed


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's commands use curl, which is not installed")
def test_the_tour_prints_what_the_readme_shows(pinfold: Pinfold) -> None:
    tour, node = list(typed("A tour")), list(typed("The node by itself"))
    assert (len(tour), len(node)) == (13, 6)
    with Up(pinfold) as up:
        assert up.first_token
        shell = Shell(pinfold, up)
        for command, output in (*tour, *node):
            printed = shell.type(command)
            assert masked(printed) == masked(output), command
            if "/upload" in command:
                up.until_pinned(re.findall(r'"cid": "(\w+)"', printed)[0])
        assert up.stop() == 0


@pytest.mark.kubo
def test_a_real_kubo_keeps_pins_as_the_readme_shows(pinfold: Pinfold, tmp_path: Path) -> None:
    kubo = Kubo(tmp_path / "kubo")
    kubo.start_daemon("--offline")
    with Up(pinfold) as up:
        shell = Shell(pinfold, up, kubo)
        shell.type("mkdir site && seq 1 200000 > site/numbers.txt && pinfold add site")  # the tour left it
        for command, output in typed("With Kubo"):
            assert shell.type(command) == output, command
        assert [file["cid"] for file in up.api.get("/api/v1/files").json()["data"]] == [NUMBERS]
    kubo.stop()


def test_the_library_prints_what_the_readme_shows(pinfold: Pinfold) -> None:
    (script,), (output,) = blocks("As a library", "python"), blocks("As a library", "text")
    pinfold.write("site/index.html", b"<h1>Hello from Pinfold</h1>\n")
    pinfold.write("site/numbers.txt", b"".join(b"%d\n" % number for number in range(1, 200_001)))
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=pinfold.work,
        env=pinfold.environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (done.stdout, done.stderr) == (output, "")


def test_every_page_that_the_readme_names_is_there() -> None:
    root = Path(__file__).resolve().parents[2]
    pages = [README, *((root / "docs" / name).read_text(encoding="utf-8") for name in ("README.md", "store.md"))]
    for folder, text in zip((root, root / "docs", root / "docs"), pages, strict=True):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (folder / link).exists(), link


def test_every_page_is_in_the_index() -> None:
    docs = Path(__file__).resolve().parents[2] / "docs"
    index = (docs / "README.md").read_text(encoding="utf-8")
    decisions = (docs / "decisions" / "README.md").read_text(encoding="utf-8")
    for page in docs.rglob("*.md"):
        if page.name == "README.md":
            continue
        if page.parent == docs / "decisions":
            assert f"({page.name})" in decisions, page
        else:
            assert f"({page.relative_to(docs)})" in index, page

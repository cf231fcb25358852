"""The house itself: it imports, it names no machine, its errors are drawn, its locks are whole, it holds no secret."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import pinfold
from pinfold.core import errors

ROOT = Path(__file__).resolve().parents[2]

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(pinfold.__path__, "pinfold.")
    if "migrations" not in module.name.split(".")  # Alembic runs those, with a context of its own
)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_imports(name: str) -> None:
    importlib.import_module(name)


# --- errors -----------------------------------------------------------------------------------------------------------

ERRORS = [item for _, item in inspect.getmembers(errors, inspect.isclass) if issubclass(item, errors.PinfoldError)]


def drawn_tree() -> dict[str, str]:
    """Class name -> parent's name, as the docstring of ``core.errors`` draws them."""
    drawn: dict[str, str] = {}
    above: list[str] = []  # the names on the way down to the line before
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # a test below needs the docstring
        found = re.fullmatch(r"((?:│   |    )*)[├└]── ([A-Za-z /]+?)(?:  .*)?", line)
        if line == "PinfoldError":
            above = [line]
        elif found:
            depth = len(found[1]) // 4 + 1
            names = found[2].strip().split(" / ")
            del above[depth:]
            drawn.update(dict.fromkeys(names, above[-1]))
            above.append(names[-1])
    return drawn


def test_every_error_stands_where_the_tree_draws_it() -> None:
    real = {item.__name__: item.__bases__[0].__name__ for item in ERRORS if item is not errors.PinfoldError}
    assert drawn_tree() == real


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [item.code for item in ERRORS]
    assert sorted(codes) == sorted(set(codes))
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+", code) for code in codes)
    assert all("code" in vars(item) for item in ERRORS), "a code that is inherited is not one's own"


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_says_what_it_is(error: type[errors.PinfoldError]) -> None:
    assert (vars(error)["__doc__"] or "").strip()


# --- dependencies -----------------------------------------------------------------------------------------------------


def locked(lock: str) -> dict[str, list[Version]]:
    """Package -> versions that a lock file pins, over all its platform markers."""
    versions: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(Version(version))
    return versions


def wanted(lock: str) -> list[Requirement]:
    """What ``pyproject.toml`` asks a lock file to hold."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = list(project["project"]["dependencies"])
    if lock == "requirements-dev.lock":
        asked += project["dependency-groups"]["dev"]
    else:
        asked += project["build-system"]["requires"]
    return [Requirement(line) for line in asked]


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_holds_what_the_project_asks_for(lock: str) -> None:
    pinned = locked(lock)
    for requirement in wanted(lock):
        versions = pinned.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not in {lock}: run make lock"
        assert all(version in requirement.specifier for version in versions), f"{requirement} in {lock}: run make lock"


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "engines/go.lock"])
def test_every_locked_package_has_its_hash(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    pins = [line for line in text.splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert pins
    assert all("--hash=sha256:" in pin for pin in pins)


def test_the_two_locks_agree() -> None:
    run, develop = locked("requirements.lock"), locked("requirements-dev.lock")
    assert {name: run[name] for name in run.keys() & develop.keys()} == {
        name: develop[name] for name in run.keys() & develop.keys()
    }


# --- what is in git ---------------------------------------------------------------------------------------------------


def tracked_text() -> Iterator[tuple[str, int, str]]:
    """Path, line number and line of every text file that git tracks."""
    try:
        # safe.directory: a checkout that belongs to another user is no reason to look away.
        listed = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        ).stdout.split(b"\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for raw in filter(None, listed):
        path = ROOT / raw.decode()
        content = path.read_bytes() if path.is_file() else b""
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            yield raw.decode(), number, line


def lines_with(pattern: str) -> list[str]:
    """``path:line: text`` of every tracked line that the pattern is found in."""
    search = re.compile(pattern).search
    return [f"{path}:{number}: {line.strip()[:120]}" for path, number, line in tracked_text() if search(line)]


# Each pattern is written so that it does not find itself in this file.
ELSEWHERE = {
    "a path of somebody's machine": r"(?<![\w./<{}-])/(?:wor[k]|roo[t]|(?:hom[e]|User[s])/[A-Za-z]\w*)/[\w.]",
    "a package registry's host": r"pyp[i]\.org|pythonhoste[d]\.org|prox[y]\.golang\.org|registr[y]\.npmjs|ghc[r]\.io",
}
SECRETS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KE[Y]-----",
    "a cloud access key": r"\b(?:AKI[A]|ASI[A])[0-9A-Z]{16}\b",
    "a code host's token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36}|github_pa[t]_[A-Za-z0-9_]{22,}|glpa[t]-[A-Za-z0-9_-]{20})",
    "a chat token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a payment key": r"\b[sr]k_liv[e]_[A-Za-z0-9]{16,}",
    "a peer's private key": r"\"PrivKe[y]\"\s*:\s*\"C[A-Za-z0-9+/]{40,}",
    "a signed token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a password in an address": r"\b[a-z][a-z0-9+]*://[^\s/:@{}$<>\"']+:[^\s/@{}$<>\"']{6,}@[a-z0-9]",
}


@pytest.mark.parametrize(("what", "pattern"), ELSEWHERE.items(), ids=ELSEWHERE)
def test_no_tracked_file_names(what: str, pattern: str) -> None:
    assert lines_with(pattern) == []


@pytest.mark.parametrize(("what", "pattern"), SECRETS.items(), ids=SECRETS)
def test_no_tracked_file_holds(what: str, pattern: str) -> None:
    assert lines_with(pattern) == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("a private key", "-----BEGIN OPENSSH PRIVATE" + " KEY-----"),
        ("a code host's token", "ghp_" + "a" * 36),
        ("a password in an address", "postgres://app:" + "hunter2hunter2@db.example"),
        ("a path of somebody's machine", "cd /" + "home/alice/src"),
        ("a path of somebody's machine", "see /" + "work/main"),
    ],
)
def test_the_scan_finds_what_it_looks_for(pattern: str, line: str) -> None:
    assert re.search((ELSEWHERE | SECRETS)[pattern], line)

"""Patterns to leave out mean what they mean to git, whatever they are."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from pinfold.node.ignore import Ignore

PATHS = [
    *("a", "b.txt", "[z-a].txt", "main.c", "a.txt", "foo/", "foo/a", "foo/bar/", "foo/bar/b.txt", "foo/bar/a", "doc/"),
    *("doc/a/", "doc/a/b/", "doc/a/b/main.c", "doc/main.c", "x/", "x/doc/", "x/doc/a", "x/foo/", "x/foo/bar/", "]"),
    *("x/foo/bar/c", "#b", "!c", "a b", "end ", "\\d", "-", "A.txt", "é.txt", "[abc]", "foobar/", "foobar/a", "a[z-a]"),
]
ODD = [
    *("[z-a].txt", r"[a-\]]", r"[z-\\]", r"[!a-\]]", "a[z-a]", "[[abc]]", "[[:alpha:]].txt", "[[:upper:]]", "!", "\\"),
    *("foo\\", "[", "[!]", "[]", "**no-vcs**", r"/**/a?[a-z12!][]][!][:upper:]][^[=a=]]\?[\\incomplete?*", "doc/**/"),
    *("[[:nothing:]]", "[[:a]", "[]a]", "[^-a]", "[a-]", "/", "//", "!/", " ", "a\\ ", "end\\ ", "#b", r"\#b", r"\!c"),
    *("foo**/bar", "**", "**/", "/**", "**/**", "***", "a**", "x/**/bar", "x/**bar", "**/bar/**", "*/", "/*", "/*/*"),
]
PARTS = [*"ab/*?.[]!-\\^# ", "foo", "bar", "doc", "x", "**", "*/", "/**/", ".txt", "main.c", "[a-c]", "[[:alpha:]]"]


def lists() -> list[list[str]]:
    chosen = random.Random(8)
    made = [[pattern] for pattern in ODD]
    made += [["*.log", pattern, "*.txt"] for pattern in ODD]
    made += [["*", "!*/", "!*.c"], ["*", "!**/", "!*.c"], ["/*", "!/foo/", "/foo/*", "!/foo/bar/"], ["foo/", "!foo/a"]]
    for _ in range(150):
        patterns = []
        for _ in range(chosen.randint(1, 4)):
            negated = "!" if chosen.random() < 0.3 else ""
            patterns.append(negated + "".join(chosen.choices(PARTS, k=chosen.randint(1, 5))))
        made.append(patterns)
    return made


def left_out(patterns: list[str]) -> set[str]:
    """What a walk leaves out that does not enter folders which are left out."""
    ignore, out = Ignore(patterns), set[str]()
    for path in sorted(PATHS):
        above = {path[: at + 1] for at, character in enumerate(path[:-1]) if character == "/"}
        name = path.rstrip("/").encode()
        if above & out or ignore.leaves_out(name, path.endswith("/")):
            out.add(path)
    return out


def git_leaves_out(folder: Path, patterns: list[str]) -> set[str]:
    (folder / ".git" / "info" / "exclude").write_text("".join(f"{pattern}\n" for pattern in patterns))
    asked = subprocess.run(
        ["git", "-c", "core.ignoreCase=false", "check-ignore", "-z", "--stdin"],
        cwd=folder,
        input="\0".join(path.rstrip("/") for path in PATHS).encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
    )
    assert asked.returncode in (0, 1), asked.stderr
    said = set(asked.stdout.decode().split("\0"))
    return {path for path in PATHS if path.rstrip("/") in said}


def test_generated_lists_leave_out_what_git_leaves_out(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("there is no git on this machine")
    subprocess.run(["git", "init", "-q", "."], cwd=tmp_path, check=True)
    for path in PATHS:
        if path.endswith("/"):
            (tmp_path / path).mkdir(parents=True, exist_ok=True)
    for path in PATHS:
        if not path.endswith("/"):
            (tmp_path / path).touch()
    wrong = {
        tuple(patterns): git ^ ours
        for patterns in lists()
        if (git := git_leaves_out(tmp_path, patterns)) != (ours := left_out(patterns))
    }
    assert wrong == {}


@pytest.mark.parametrize("pattern", ODD)
def test_a_pattern_that_git_cannot_use_stops_no_other(pattern: str) -> None:
    ignore = Ignore(["*.log", pattern, "*.tmp"])
    assert ignore.leaves_out(b"x.tmp", False)
    assert Ignore([pattern, "*.log"]).leaves_out(b"x.log", False)

"""What a shell is offered."""

from __future__ import annotations

import pytest

from pinfold.cli.completing import offers
from tests.unit.cli.conftest import Run


def words(*before: str, typed: str) -> list[str]:
    return [word for word, _ in offers(before, typed)]


def test_commands_and_their_subcommands_are_offered() -> None:
    assert words(typed="re") == ["refs", "resolve", "repo"]
    assert words("pin", typed="") == ["add", "ls", "rm", "update", "verify", "requests", "status", "retry", "forget"]
    assert words("--data-dir", "/x", "repo", typed="g") == ["gc"]


def test_options_of_the_command_are_offered() -> None:
    assert "--hamt-threshold" in words("add", typed="--h")
    assert words("pin", "ls", typed="--ty") == ["--type"]
    assert words(typed="--d") == ["--data-dir"]


def test_values_of_options_are_offered() -> None:
    assert words("add", "--profile", typed="") == ["unixfs-v1-2025", "unixfs-v0-2015"]
    assert words("pin", "ls", "--type", typed="in") == ["indirect"]
    assert words("completion", typed="z") == ["zsh"]


def test_files_are_left_to_the_shell() -> None:
    assert words("add", typed="") == []
    assert words("add", "--wrap", typed="ph") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_there_is_a_script_for_each_shell(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.code == 0 and "pinfold --complete" in result.out


def test_other_shells_are_refused(run: Run) -> None:
    assert run("completion", "tcsh").code == 2

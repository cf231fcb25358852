"""What the administrator's commands on pin requests and plans refuse, on a real database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run

NOBODYS = "01a1fa81-16a2-7f23-add5-4a0763bfe827"
UNKNOWN = "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"


@pytest.fixture
def place(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a platform of one organisation."""
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path))
    assert run("db", "upgrade").code == 0
    assert run("org", "create", "Acme").code == 0
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["status", UNKNOWN], "no file and no pin request", 33),
        (["status", "nonsense"], "is no CID", 11),
        (["retry", NOBODYS], "there is no pin request", 33),
        (["retry", UNKNOWN], "no file and no pin request", 33),
        (["forget", UNKNOWN], "is no id of a pin request", 10),
        (["forget", NOBODYS], "has no pin request", 33),
        (["requests", "--org", "nobody"], "no organisation nobody", 36),
        (["requests", "--status", "lost"], "'lost' is not one of", 2),
        (["requests", "--limit", "0"], "less than 1", 2),
    ],
)
def test_what_is_not_there_is_said_in_a_sentence(run: Run, place: Path, words: list[str], said: str, code: int) -> None:
    answer = run("pin", *words)
    assert answer.code == code
    assert said in answer.err
    assert not answer.out


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (["Big Plan", "--quota-pins", "1"], "cannot be the name of a plan", 10),
        (["x" * 65, "--quota-pins", "1"], "cannot be the name of a plan", 10),
        (["lab"], "say what to set", 2),
        (["lab", "--quota-pins", "-1"], "is no number", 2),
        (["lab", "--quota-pins", "many"], "is no number", 2),
        (["lab", "--quota-bytes", "10000000000GiB"], "is more than 9,223,372,036,854,775,807", 2),
        (["lab", "--quota-files", "9223372036854775808"], "is more than", 2),
        (["lab", "--uploads-per-window", "2147483648"], "is more than 2,147,483,647", 2),
        (["lab", "--window", "0"], "less than 1", 2),
        (["lab", "--window", "86401"], "more than 86400", 2),
    ],
)
def test_a_plan_that_cannot_be_is_refused_and_not_made(
    run: Run, place: Path, words: list[str], said: str, code: int
) -> None:
    answer = run("plan", "set", *words)
    assert answer.code == code
    assert said in answer.err
    assert not answer.out
    listed = run("plan", "list", "--json").out.splitlines()
    assert [json.loads(line)["name"] for line in listed] == ["free", "unlimited"]


@pytest.mark.parametrize("words", [["requests"], ["status", UNKNOWN], ["retry", NOBODYS], ["forget", NOBODYS]])
def test_without_a_platform_commands_say_what_makes_one_and_make_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path / "none"))
    answer = run("pin", *words)
    assert answer.code == 86
    assert "pinfold up" in answer.err
    assert not (tmp_path / "none").exists()


def test_a_plan_needs_an_organisation_in_whose_log_it_can_stand(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path))
    assert run("db", "upgrade").code == 0
    answer = run("plan", "set", "lab", "--quota-pins", "1")
    assert answer.code == 36
    assert "no organisation yet" in answer.err
    assert "lab" not in run("plan", "list").out

"""Words of the command line as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer import BadParameter

from pinfold.cli import coercion, groups, table

LEAVES = [words for words in table.COMMANDS if not table.is_group(words)]


def parsed(words: str, *args: str) -> dict[str, Any]:
    with groups.load(words).make_context("x", list(args)) as context:
        params: dict[str, Any] = context.params
        return params


@pytest.mark.parametrize("words", LEAVES)
def test_no_parameter_is_left_to_pydantic(words: str) -> None:
    command = groups.load(words)
    for param in command.get_params(command.context_class(command)):
        assert isinstance(param.get_runtime_param(), coercion.PlainValue), param.name


def test_words_become_values() -> None:
    params = parsed("add", "--cid-version", "1", "--ignore", "a", "--ignore", "b", "--data-dir", "d", "x", "y")
    assert params["cid_version"] == 1
    assert list(params["ignore"]) == ["a", "b"]
    assert params["data_dir"] == Path("d")
    assert list(params["paths"]) == ["x", "y"]


def test_what_is_not_given_is_none_or_the_default() -> None:
    params = parsed("add", "x")
    assert (params["cid_version"], params["raw_leaves"], params["pin"]) == (None, None, True)
    assert not params["ignore"]


@pytest.mark.parametrize(
    ("words", "args", "says"),
    [
        ("add", ["--cid-version", "two"], "'two' is not a whole number"),
        ("add", ["--cid-version", "2"], "2 is more than 1"),
        ("cat", ["--offset", "-1", "x"], "-1 is less than 0"),
        ("pin ls", ["--type", "loose"], "'loose' is not one of all, recursive, direct, indirect"),
    ],
)
def test_what_does_not_fit_is_refused(words: str, args: list[str], says: str) -> None:
    with pytest.raises(BadParameter, match=says):
        parsed(words, *args)


def test_an_empty_path_is_refused_rather_than_taken_for_this_folder() -> None:
    command = groups.load("repo stat")
    with pytest.raises(BadParameter, match="empty path"):
        command.make_context("x", ["--data-dir", ""])

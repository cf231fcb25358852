"""Flags as Kubo's users write them."""

from __future__ import annotations

from typing import Any

import pytest

from pinfold.cli import groups


def parsed(words: str, *args: str) -> dict[str, Any]:
    command = groups.load(words)
    with command.make_context("x", list(args)) as context:
        params: dict[str, Any] = context.params
        return params


@pytest.mark.parametrize(
    ("args", "pinned"), [((), True), (("--pin=false",), False), (("--pin=true",), True), (("--no-pin",), False)]
)
def test_flags_take_true_and_false(args: tuple[str, ...], pinned: bool) -> None:
    assert parsed("add", *args, "x")["pin"] is pinned


def test_words_behind_two_dashes_are_names() -> None:
    assert parsed("add", "--", "--pin=false", "-w=true")["paths"] == ["--pin=false", "-w=true"]


def test_values_of_other_options_are_left_alone() -> None:
    assert parsed("add", "--pin-name=true", "x")["pin_name"] == "true"

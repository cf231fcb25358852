"""The command line in this process, with a node that answers what the test says."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import pinfold
from pinfold.cli.main import main


class FakeNode:
    """Answers each method with what was laid out for it (an exception is raised), and remembers the calls."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.data_dir: Path | None = None

    def __call__(self, data_dir: Path | None = None) -> FakeNode:
        self.data_dir = data_dir
        return self

    def __enter__(self) -> FakeNode:
        return self

    def __exit__(self, *args: object) -> None:
        return

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def method(*args: Any, **kwargs: Any) -> Any:
            self.calls.append((name, args, kwargs))
            answer = self.answers[name]
            if isinstance(answer, BaseException):
                raise answer
            return answer(*args, **kwargs) if callable(answer) else answer

        return method


class Result(NamedTuple):
    """How one command line ended."""

    code: int
    out: str
    err: str
    node: FakeNode


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; keyword arguments are the node's answers."""

    def call(*args: str, stdin: bytes = b"", **answers: Any) -> Result:
        node = FakeNode(answers)
        monkeypatch.setitem(vars(pinfold), "Node", node)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        monkeypatch.setattr(sys, "stdout", os.fdopen(os.dup(1), "w", encoding="utf-8"))
        with sys.stdout:
            code = main(args)
        captured = capfd.readouterr()
        return Result(code, captured.out, captured.err, node)

    return call

"""The bench's own command line."""

from __future__ import annotations

import pytest
from bench.__main__ import arguments
from bench.jobs import JOBS


def test_help_names_every_job(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--help"])
    said = capsys.readouterr().out
    assert [job for job in JOBS if job not in said] == []


def test_an_unknown_job_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["add-1g", "add-9g"])
    said = capsys.readouterr().err
    assert "no such job: add-9g" in said
    assert "add-1g" in said

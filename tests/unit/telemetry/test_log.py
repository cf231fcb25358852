from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from pinfold import telemetry
from pinfold.telemetry import fields


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_lines_are_json_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    telemetry.configure("info", "auto", out)
    telemetry.logger("worker").info("pinned", **{fields.CID: "bafy"})
    line = json.loads(out.getvalue())
    assert line["event"] == "pinned"
    assert line[fields.ROOM] == "worker"
    assert line[fields.CID] == "bafy"
    assert line["level"] == "info"
    assert line["timestamp"].endswith("Z")


def test_a_log_made_before_the_set_up_obeys_it() -> None:
    log = telemetry.logger("app")
    out = io.StringIO()
    telemetry.configure("warning", "json", out)
    log.info("quiet")
    log.warning("loud")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["loud"]


def test_human_lines_are_no_json_and_say_the_same() -> None:
    out = io.StringIO()
    telemetry.configure("info", "human", out)
    telemetry.logger("api").warning("slow", **{fields.STATUS: 200})
    assert "slow" in out.getvalue()
    assert "status=200" in out.getvalue()


def test_lines_below_the_level_are_not_written() -> None:
    out = io.StringIO()
    telemetry.configure("warning", "json", out)
    telemetry.logger("api").info("quiet")
    assert out.getvalue() == ""


@pytest.mark.parametrize("name", sorted(fields.SECRET))
def test_secret_fields_are_never_written(name: str) -> None:
    out = io.StringIO()
    telemetry.configure("info", "json", out)
    telemetry.logger("api").info("event", **{name: "hush"})
    assert "hush" not in out.getvalue()


def test_a_token_inside_a_text_is_masked_in_our_lines_and_in_libraries() -> None:
    out = io.StringIO()
    telemetry.configure("info", "json", out)
    token = "pf_" + "a" * 43
    telemetry.logger("api").info(f"got {token}", error=f"bad {token}")
    logging.getLogger("uvicorn.error").error("header %s", token)
    assert token not in out.getvalue()
    assert out.getvalue().count("pf_[not shown]") == 3


@pytest.mark.parametrize("form", ["human", "json"])
def test_a_traceback_shows_no_local_variable(form: Literal["human", "json"]) -> None:
    out = io.StringIO()
    telemetry.configure("info", form, out)

    def fail() -> None:
        hush = "a secret in a " + "variable"
        raise ValueError(len(hush))

    try:
        fail()
    except ValueError as exc:
        telemetry.logger("api").error("failed", exc_info=exc)
    assert "in fail" in out.getvalue()
    assert "a secret in a variable" not in out.getvalue()


def test_a_traceback_stands_in_the_json_line() -> None:
    out = io.StringIO()
    telemetry.configure("info", "json", out)
    telemetry.logger("api").error("failed", exc_info=ValueError("why"))
    assert "ValueError: why" in json.loads(out.getvalue())["exception"]

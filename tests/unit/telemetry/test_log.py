from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

import pytest
import structlog

from pinfold import telemetry
from pinfold.core.errors import InvalidSetting
from pinfold.telemetry import fields


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in root.handlers:
        if isinstance(handler, RotatingFileHandler):
            handler.close()
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


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("key whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw=", "key whsec_[not shown]"),
        ("postgresql+psycopg://me:hush@db:5432/x?a=b", "postgresql+psycopg://me:[not shown]@db:5432/x?a=b"),
        ("redis://:hush@cache/0", "redis://:[not shown]@cache/0"),
        ("postgresql://me:hu@sh@db/x", "postgresql://me:[not shown]@db/x"),
        ("Authorization: Bearer hushhushhush", "Authorization: Bearer [not shown]"),
        ("authorization: basic aHVzaGh1c2g=", "authorization: basic [not shown]"),
        ("a bearer of news, http://host:8080/a@b", "a bearer of news, http://host:8080/a@b"),
    ],
)
def test_secrets_inside_texts_are_masked_and_nothing_else_is(said: str, shown: str) -> None:
    out = io.StringIO()
    telemetry.configure("info", "json", out)
    telemetry.logger("api").info(said, nested={"list": [said], "password": "hush"})
    line = json.loads(out.getvalue())
    assert line["event"] == shown
    assert line["nested"] == {"list": [shown], "password": "[not shown]"}


def test_an_exception_that_tells_a_secret_is_masked() -> None:
    out = io.StringIO()
    telemetry.configure("info", "json", out)
    telemetry.logger("db").error("away", exc_info=ValueError("postgresql://me:hush@db/x"))
    assert "hush" not in out.getvalue()


def test_a_log_file_gets_json_beside_what_people_see_and_is_renamed_when_it_is_full(tmp_path: Path) -> None:
    out, path = io.StringIO(), tmp_path / "pinfold.log"
    telemetry.configure("info", "human", out, telemetry.LogFile(path, max_bytes=2000, kept=2))
    log = telemetry.logger("api")
    for number in range(100):
        log.info("line", number=number, token="hush")
    names = sorted(one.name for one in tmp_path.iterdir())
    assert names == ["pinfold.log", "pinfold.log.1", "pinfold.log.2"]
    kept = [json.loads(line) for name in reversed(names) for line in (tmp_path / name).read_text().splitlines()]
    assert [line["number"] for line in kept] == list(range(100 - len(kept), 100))
    assert all(one.stat().st_size <= 2000 and one.stat().st_mode & 0o077 == 0 for one in tmp_path.iterdir())
    assert out.getvalue().count("number=") == 100
    assert "hush" not in path.read_text()


def test_a_log_file_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "pinfold.log"
    for number in range(2):
        telemetry.configure("info", "json", io.StringIO(), telemetry.LogFile(path))
        telemetry.logger("api").info("line", number=number)
    assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [0, 1]


def test_a_log_file_that_cannot_be_written_is_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(InvalidSetting, match="log_file"):
        telemetry.configure("info", "json", io.StringIO(), telemetry.LogFile(tmp_path / "missing" / "x.log"))

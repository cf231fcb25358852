from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from pinfold.api.errors import STATUS, respond
from pinfold.core import errors


def every_error() -> list[type[errors.PinfoldError]]:
    found = [errors.PinfoldError]
    for one in found:
        found.extend(one.__subclasses__())
    return sorted({one for one in found if one.__module__ == errors.__name__}, key=lambda one: one.__name__)


@pytest.mark.parametrize("error", every_error())
def test_every_error_has_a_status(error: type[errors.PinfoldError]) -> None:
    assert 400 <= STATUS[error] < 600


def test_no_status_is_given_to_what_does_not_exist() -> None:
    assert set(STATUS) == set(every_error())


@pytest.mark.parametrize(
    ("error", "status", "comes_back", "is_traced"),
    [
        (errors.StoreFull("the disk is full"), 507, None, False),
        (errors.DatabaseUnavailable("the database is away"), 503, "2", False),
        (errors.StoreUnreadable("no data folder"), 503, None, False),
        (errors.BlockCorrupt("a block is not what its CID says"), 500, None, True),
    ],
)
def test_the_log_traces_mistakes_and_has_a_line_of_bad_days(
    error: errors.PinfoldError, status: int, comes_back: str | None, is_traced: bool
) -> None:
    error.__cause__ = OSError("connection to 10.0.0.7 refused")
    request = Request({"type": "http", "method": "GET", "path": "/a", "headers": [], "state": {}})
    with capture_logs() as lines:
        response = asyncio.run(respond(request, error))
    assert (response.status_code, response.headers.get("retry-after")) == (status, comes_back)
    assert b"10.0.0.7" not in response.body
    ((said, traced),) = [(line["error"], bool(line.get("exc_info"))) for line in lines]
    assert (said, traced) == (f"{error}: connection to 10.0.0.7 refused", is_traced)

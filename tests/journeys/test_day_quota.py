"""The quota of requests a day is held without a Redis, whatever is restarted, and by several API processes."""

from __future__ import annotations

import time

import httpx

from pinfold.services.usage.meter import FLUSH_S, FRESH_S
from tests.support.cli import Pinfold
from tests.support.up import PATIENCE_S, Up

QUOTA = 10


def requests_until_refused(client: httpx.Client, most: int = 3 * QUOTA) -> int:
    """How many requests were answered before one was refused for the quota of the day."""
    for number in range(most):
        answer = client.get("/api/v1/files")
        if answer.status_code == 429:
            assert "requests in 1 d" in answer.json()["error"]
            assert int(answer.headers["retry-after"]) <= 86_400
            return number
        assert answer.status_code == 200, answer.text
    raise AssertionError("no request was refused")


def token_with_quota(pinfold: Pinfold, database_url: str) -> str:
    """A token of an organisation that has so many requests a day."""
    if database_url:
        pinfold.data_dir.mkdir(parents=True)
        (pinfold.data_dir / "pinfold.toml").write_text(f'database_url = "{database_url}"\n')
    pinfold("db", "upgrade")
    pinfold("org", "create", "Acme")
    pinfold("org", "set", "acme", "--quota-requests-per-day", str(QUOTA))
    return pinfold("token", "create", "--org", "acme", "--name", "x", "--scope", "files:read").out.strip()


def until_written_down(pinfold: Pinfold, number: int) -> None:
    """Wait until the database knows of so many requests."""
    end = time.monotonic() + PATIENCE_S
    while pinfold("usage", "show", "--org", "acme", "--json", "--days", "1").json["requests"] < number:
        assert time.monotonic() < end


def test_a_restart_gives_nobody_a_new_day(pinfold: Pinfold, database_url: str) -> None:
    token = token_with_quota(pinfold, database_url)
    with Up(pinfold, role="api") as api:
        api.api.headers["Authorization"] = f"Bearer {token}"
        for _ in range(6):
            assert api.api.get("/api/v1/files").status_code == 200
        assert api.stop() == 0
    with Up(pinfold, role="api") as api:
        api.api.headers["Authorization"] = f"Bearer {token}"
        assert requests_until_refused(api.api) == QUOTA - 6
        until_written_down(pinfold, QUOTA)
        api.process.kill()
    with Up(pinfold, role="api") as api:
        api.api.headers["Authorization"] = f"Bearer {token}"
        assert requests_until_refused(api.api) == 0


def test_two_api_processes_hold_one_quota_but_for_its_last_seconds(pinfold: Pinfold, database_url: str) -> None:
    token = token_with_quota(pinfold, database_url)
    with Up(pinfold, role="api") as one, Up(pinfold, role="api") as other:
        for up in (one, other):
            up.api.headers["Authorization"] = f"Bearer {token}"
            assert up.api.get("/api/v1/files").status_code == 200
        assert requests_until_refused(one.api) <= QUOTA - 1
        end = time.monotonic() + FLUSH_S + FRESH_S + PATIENCE_S
        while requests_until_refused(other.api) > 0:
            assert time.monotonic() < end

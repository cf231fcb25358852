from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from pinfold.api.undeclared_proxy import UndeclaredProxy
from pinfold.services.accounts import Scope
from tests.support.platform import platform, run


def asked(peer: str, trusted: tuple[str, ...] = (), headers: dict[str, str] | None = None) -> str | None:
    """The warning after a request of that peer."""

    async def app(scope: object, receive: object, send: object) -> None:
        return None

    watch = UndeclaredProxy(app, trusted)
    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]

    async def never(*_: object) -> object:
        raise AssertionError

    run(watch({"type": "http", "client": (peer, 1), "headers": pairs}, never, never))  # type: ignore[arg-type]
    return watch.warning


PASSED_ON = {"x-forwarded-for": "203.0.113.7"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.5", "::1", "fd00::5", "::ffff:172.17.0.1"])
@pytest.mark.parametrize("header", ["x-forwarded-for", "x-real-ip", "forwarded"])
def test_a_proxy_near_by_that_no_setting_names_is_noticed(peer: str, header: str) -> None:
    said = asked(peer, headers={header: "203.0.113.7"})
    assert said is not None and "PINFOLD_TRUSTED_PROXIES" in said


@pytest.mark.parametrize(
    ("peer", "trusted", "headers"),
    [
        ("10.0.0.5", ("10.0.0.0/8",), PASSED_ON),
        ("10.0.0.5", (), {}),
        ("8.8.8.8", (), PASSED_ON),  # a stranger who plays a proxy fills no log
        ("unix socket", (), PASSED_ON),
    ],
)
def test_others_are_no_such_proxy(peer: str, trusted: tuple[str, ...], headers: dict[str, str]) -> None:
    assert asked(peer, trusted, headers) is None


def test_the_log_says_it_once_and_the_limits_go_on_as_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def go() -> None:
        async with platform(tmp_path, anonymous_requests=3) as at:
            nobody = await at.client(None)
            answers = [await nobody.get("/api/v1/me", headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(4)]
            assert [one.status_code for one in answers] == [401, 401, 401, httpx.codes.TOO_MANY_REQUESTS]
            owner = await at.client(await at.token_for(Scope.SERVER_ADMIN))
            health = await owner.get("/health")
            (warning,) = health.json()["data"]["warnings"]
            assert (health.status_code, "PINFOLD_TRUSTED_PROXIES" in warning) == (200, True)
            assert (await nobody.get("/health")).json()["data"]["warnings"] == []

    run(go())
    assert "".join(capsys.readouterr()).count("PINFOLD_TRUSTED_PROXIES") == 1

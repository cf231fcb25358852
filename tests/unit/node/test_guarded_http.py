"""Whom the guarded clients connect to: names resolve to what a test says, and nothing is ever connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pinfold.core.errors import AddressRefused
from pinfold.node.guarded_http import guarded_async_client, guarded_client

Get = Callable[[str, dict[str, Any]], None]


class Reached(Exception):
    """A connection to this address was about to be made."""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """What each name resolves to, one list of addresses for each time that it is asked."""
    known: dict[str, list[list[str]]] = {}

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        answers = known.get(host)
        if answers is None:
            if host.replace(".", "").isdigit() or ":" in host:
                answers = [[host]]
            else:
                raise socket.gaierror(-2, "Name or service not known")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET6 if ":" in ip else socket.AF_INET, 1, 6, "", (ip, port)) for ip in addresses]

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> None:
        raise Reached(address[0])

    async def connect_later(*, remote_host: str, **__: Any) -> None:
        raise Reached(remote_host)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr("anyio.connect_tcp", connect_later)
    return known


def get_at_once(url: str, options: dict[str, Any]) -> None:
    with guarded_client(**options) as client:
        client.get(url)


def get_in_asyncio(url: str, options: dict[str, Any]) -> None:
    async def get() -> None:
        async with guarded_async_client(**options) as client:
            await client.get(url)

    asyncio.run(get())


@pytest.fixture(params=[get_at_once, get_in_asyncio], ids=["sync", "async"])
def get(request: pytest.FixtureRequest) -> Get:
    chosen: Get = request.param
    return chosen


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]:8080/", "http://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest"]
)
def test_a_literal_private_address_is_refused(get: Get, names: dict[str, list[list[str]]], url: str) -> None:
    with pytest.raises(AddressRefused, match="not an address of the public internet"):
        get(url, {"allow_private": False})


def test_a_name_is_judged_by_what_it_resolves_to(get: Get, names: dict[str, list[list[str]]]) -> None:
    names |= {"good.example": [["1.1.1.1"]], "bad.example": [["192.168.0.1"]], "both.example": [["1.1.1.1", "::1"]]}
    with pytest.raises(Reached, match=r"^1\.1\.1\.1$"):
        get("http://good.example/", {"allow_private": False})
    for name in ("bad.example", "both.example"):
        with pytest.raises(AddressRefused, match=name) as refused:
            get(f"https://{name}/", {"allow_private": False})
        assert not any(address in str(refused.value) for address in ("192.168.0.1", "::1"))  # it is the inside's


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(
    get: Get, names: dict[str, list[list[str]]]
) -> None:
    names["rebinding.example"] = [["1.1.1.1"], ["127.0.0.1"]]
    with pytest.raises(Reached, match=r"^1\.1\.1\.1$"):
        get("http://rebinding.example/", {"allow_private": False})


def test_private_addresses_are_reached_where_they_are_allowed(get: Get, names: dict[str, list[list[str]]]) -> None:
    names["inside.example"] = [["10.0.0.7"]]
    with pytest.raises(Reached, match=r"10\.0\.0\.7"):
        get("http://inside.example/", {"allow_private": True})


@pytest.mark.parametrize(
    ("url", "trusted", "reached"),
    [
        ("http://10.0.0.7/", ["10.0.0.7"], True),
        ("http://10.0.0.8/", ["10.0.0.7"], False),
        ("http://Inside.Example./", ["inside.example"], True),
        ("http://bafy.ipfs.inside.example/", ["inside.example"], True),
        ("http://notinside.example/", ["inside.example"], False),
        ("http://[::1]/", ["[::1]"], True),
    ],
)
def test_hosts_that_are_trusted_may_be_anywhere(
    get: Get, names: dict[str, list[list[str]]], url: str, trusted: list[str], reached: bool
) -> None:
    for name in ("inside.example", "inside.example.", "bafy.ipfs.inside.example", "notinside.example"):
        names[name] = [["10.0.0.7"]]
    with pytest.raises(Reached if reached else AddressRefused):
        get(url, {"allow_private": False, "trusted_hosts": trusted})


def test_a_name_that_nobody_knows_is_a_failed_connection(get: Get, names: dict[str, list[list[str]]]) -> None:
    with pytest.raises(httpx.ConnectError, match=r"nowhere\.example cannot be resolved"):
        get("http://nowhere.example/", {"allow_private": False})


def test_proxies_of_the_environment_are_not_used(
    get: Get, names: dict[str, list[list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://9.9.9.9:3128")
    with pytest.raises(Reached, match=r"^1\.1\.1\.1$"):
        get("http://1.1.1.1/", {"allow_private": False})

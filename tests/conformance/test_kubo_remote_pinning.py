"""A real Kubo keeps pins at a running Pinfold: ``ipfs pin remote``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import Pinfold
from tests.support.kubo import Kubo, KuboFailed
from tests.support.up import PATIENCE_S, Up

pytestmark = pytest.mark.kubo
SERVICE = "--service=pinfold"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """A Kubo of its own, whose gateway serves what it has: Pinfold fetches from there."""
    kubo = Kubo(tmp_path_factory.mktemp("kubo-client"))
    kubo.start_daemon()
    yield kubo
    kubo.stop()


@pytest.fixture(scope="module")
def up(client: Kubo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """Pinfold, which the Kubo knows as a service of the name ``pinfold``."""
    pinfold = Pinfold(tmp_path_factory.mktemp("pinfold"))
    with Up(pinfold, fetch_from=client.gateway_url, fetch_silence_s="2") as up:
        client.run("pin", "remote", "service", "add", "pinfold", f"{up.api_url}/psa", up.token)
        yield up


def listed(client: Kubo, *args: str) -> list[dict[str, str]]:
    """What ``ipfs pin remote ls`` says."""
    lines = client.run("pin", "remote", "ls", SERVICE, "--enc=json", *args).decode().splitlines()
    return [json.loads(line) for line in lines]


def add(client: Kubo, data: bytes) -> str:
    """The CID of content that the Kubo has."""
    return client.run("add", "-Q", "--cid-version=1", input=data).decode().strip()


def test_the_service_says_how_many_pins_it_has(client: Kubo, up: Up) -> None:
    (service,) = json.loads(client.run("pin", "remote", "service", "ls", "--stat", "--enc=json"))["RemoteServices"]
    assert service["Stat"]["Status"] == "valid"
    assert set(service["Stat"]["PinCount"]) == {"Queued", "Pinning", "Pinned", "Failed"}


def test_a_pin_in_the_foreground_returns_once_the_content_was_fetched(client: Kubo, up: Up) -> None:
    cid = add(client, b"held by Kubo at first" * 100_000)
    client.run("pin", "remote", "add", SERVICE, "--name=foreground", cid)
    assert listed(client, "--name=foreground") == [{"Cid": cid, "Name": "foreground", "Status": "pinned"}]
    assert up.gateway.get(f"/ipfs/{cid}").content == b"held by Kubo at first" * 100_000


def test_a_pin_in_the_background_is_queued_then_pinned(client: Kubo, up: Up) -> None:
    cid = add(client, b"later")
    client.run("pin", "remote", "add", SERVICE, "--name=background", "--background", cid)
    end = time.monotonic() + PATIENCE_S
    while not (found := listed(client, "--name=background")):
        assert time.monotonic() < end, listed(client, "--status=queued,pinning,failed")
        time.sleep(0.05)
    assert found[0]["Cid"] == cid


def test_what_nobody_has_fails_and_says_so(client: Kubo, up: Up) -> None:
    nowhere = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
    with pytest.raises(KuboFailed, match="pin"):
        client.run("pin", "remote", "add", SERVICE, "--name=nowhere", nowhere)
    assert [one["Cid"] for one in listed(client, "--status=failed", "--name=nowhere")] == [nowhere]


def test_pins_are_listed_by_cid_and_status_and_removed(client: Kubo, up: Up, tmp_path: Path) -> None:
    cids = [add(client, b"one of many %d" % number) for number in range(3)]
    for cid in cids:
        client.run("pin", "remote", "add", SERVICE, "--name=many", cid)
    assert {one["Cid"] for one in listed(client, "--name=many")} == set(cids)
    assert [one["Cid"] for one in listed(client, f"--cid={cids[1]}")] == [cids[1]]
    with pytest.raises(KuboFailed, match="force"):
        client.run("pin", "remote", "rm", SERVICE, "--name=many")
    client.run("pin", "remote", "rm", SERVICE, f"--cid={cids[0]}")
    assert {one["Cid"] for one in listed(client, "--name=many")} == set(cids[1:])
    client.run("pin", "remote", "rm", SERVICE, "--name=many", "--force")
    assert listed(client, "--name=many") == []


def test_a_token_that_is_none_is_told_so(client: Kubo, up: Up) -> None:
    client.run("pin", "remote", "service", "add", "stranger", f"{up.api_url}/psa", "pf_nonsense")
    with pytest.raises(KuboFailed, match="UNAUTHORIZED"):
        client.run("pin", "remote", "ls", "--service=stranger")
    client.run("pin", "remote", "service", "rm", "stranger")

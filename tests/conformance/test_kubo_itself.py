"""The Kubo that other tests hold Pinfold against is real, new enough and alone."""

from __future__ import annotations

import json
import urllib.request
from base64 import b32encode
from hashlib import sha256

from tests.support.kubo import Kubo

HELLO = b"hello world"
# One raw block, CIDv1: version 1, codec raw, sha2-256 of 32 bytes, in lower-case base32.
HELLO_CID = "b" + b32encode(b"\x01\x55\x12\x20" + sha256(HELLO).digest()).decode().lower().rstrip("=")


def test_kubo_is_new_enough(kubo: Kubo) -> None:
    version = tuple(int(part) for part in kubo.text("version", "-n").split("-")[0].split("."))
    assert version >= (0, 43, 0)


def test_kubo_gives_the_cid_that_everybody_gives(kubo: Kubo) -> None:
    cid = kubo.add_bytes(HELLO, "--cid-version=1")
    assert cid == HELLO_CID
    assert kubo.run("cat", cid) == HELLO


def test_kubo_names_nobody_to_call(kubo: Kubo) -> None:
    config = json.loads((kubo.home / "config").read_bytes())
    assert config["Bootstrap"] == []
    assert config["AutoConf"]["Enabled"] is False
    assert config["Routing"]["DelegatedRouters"] == []
    assert config["Ipns"]["DelegatedPublishers"] == []
    assert config["DNS"]["Resolvers"] == {}
    assert config["Discovery"]["MDNS"]["Enabled"] is False


def test_a_daemon_answers_on_its_gateway_and_its_api(kubo_daemon: Kubo) -> None:
    cid = kubo_daemon.add_bytes(HELLO, "--cid-version=1")
    with urllib.request.urlopen(f"{kubo_daemon.gateway_url}/ipfs/{cid}", timeout=10) as answer:
        assert answer.read() == HELLO
    request = urllib.request.Request(f"{kubo_daemon.api_url}/api/v0/version", method="POST")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert "Version" in json.load(answer)

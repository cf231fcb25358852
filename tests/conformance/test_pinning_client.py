"""The Pinning Service API's client from npm turns pages until it has seen every pin once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.core.multihash import IDENTITY
from tests.support.cli import Pinfold
from tests.support.npm import run_script
from tests.support.up import Up

PINS = 23
PAGE = 5
SCRIPT = """
    import { Configuration, RemotePinningServiceClient, Status } from '@ipfs-shipyard/pinning-service-client'
    const [url, token, limit, ...cids] = process.argv.slice(2)
    const client = new RemotePinningServiceClient(new Configuration({ endpointUrl: url, accessToken: token }))
    for (const cid of cids) await client.pinsPost({ pin: { cid, name: `pin of ${cid}` } })
    const status = [Status.Queued, Status.Pinning, Status.Pinned]
    const seen = [], counts = []
    let before
    for (;;) {
        const page = await client.pinsGet({ limit: Number(limit), status, before })
        const results = [...page.results]
        counts.push(page.count)
        if (results.length === 0) break
        seen.push(...results.map((one) => one.pin.cid))
        before = results[results.length - 1].created
    }
    const some = await client.pinsGet({ cid: cids.slice(0, 3), status })
    console.log(JSON.stringify({ seen, counts, some: [...some.results].map((one) => one.pin.cid) }))
"""


@pytest.mark.npm
def test_pages_have_every_pin_once_the_newest_first(tmp_path: Path, database_url: str) -> None:
    cids = [str(CID.of(b"page %d" % number, hash_code=IDENTITY)) for number in range(PINS)]
    with Up(Pinfold(tmp_path), database_url=database_url) as up:
        told = json.loads(run_script(SCRIPT, f"{up.api_url}/psa", up.token, str(PAGE), *cids))
    assert told["seen"] == cids[::-1]
    assert told["counts"] == [23, 18, 13, 8, 3, 0]
    assert sorted(told["some"]) == sorted(cids[:3])

"""The Pinning Service API as other people's programs see it: the compliance suite, and the client, from npm."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.cli import Pinfold
from tests.support.npm import run_compliance, run_script
from tests.support.up import Up


@pytest.fixture
def up(tmp_path_factory: pytest.TempPathFactory, database_url: str) -> Iterator[Up]:
    """A running platform, on either database."""
    with Up(Pinfold(tmp_path_factory.mktemp("psa")), database_url=database_url) as up:
        yield up


@pytest.mark.npm
@pytest.mark.shared
def test_the_compliance_suite_passes_all_that_it_asks(up: Up) -> None:
    report = run_compliance(f"{up.api_url}/psa", up.token)
    assert (report.total, report.passed, report.failures) == (9, 9, ()), report.text


@pytest.mark.npm
def test_the_client_of_npm_adds_lists_replaces_and_removes(up: Up) -> None:
    cid = up.upload(b"pinned by its client")["cid"]
    other = up.upload(b"pinned in its place")["cid"]
    script = """
        import { Configuration, RemotePinningServiceClient, Status } from '@ipfs-shipyard/pinning-service-client'
        const [url, token, cid, other] = process.argv.slice(2)
        const client = new RemotePinningServiceClient(new Configuration({ endpointUrl: url, accessToken: token }))
        const until = async (requestid) => {
            for (;;) {
                const found = await client.pinsRequestidGet({ requestid })
                if (found.status === Status.Pinned) return found
                await new Promise((resolve) => setTimeout(resolve, 50))
            }
        }
        const added = await client.pinsPost({ pin: { cid, name: 'by npm', meta: { app: 'test' } } })
        const pinned = await until(added.requestid)
        const found = await client.pinsGet({ name: 'NPM', match: 'ipartial', meta: { app: 'test' } })
        const replaced = await client.pinsRequestidPost({ requestid: added.requestid, pin: { cid: other } })
        await until(replaced.requestid)
        const listed = await client.pinsGet({ limit: 10 })
        await client.pinsRequestidDelete({ requestid: replaced.requestid })
        const left = await client.pinsGet({ limit: 10 })
        console.log(JSON.stringify({
            pinned: pinned.pin.cid, found: found.count, listed: [...listed.results].map((one) => one.pin.cid),
            left: left.count,
        }))
    """
    told = json.loads(run_script(script, f"{up.api_url}/psa", up.token, cid, other))
    assert told == {"pinned": cid, "found": 1, "listed": [other], "left": 0}

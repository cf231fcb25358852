"""A node, and requests to a gateway over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from pinfold.gateway import create_gateway
from pinfold.node import Node
from tests.support.platform import run

Get = Callable[..., httpx.Response]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "data") as node:
        yield node


@pytest.fixture
def get(node: Node) -> Get:
    """One request to a gateway over the node."""

    def request(path: str, method: str = "GET", **headers: str) -> httpx.Response:
        async def go() -> httpx.Response:
            gateway = create_gateway(node)
            transport = httpx.ASGITransport(gateway, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://gateway.test") as client:
                fields = {name.replace("_", "-"): value for name, value in headers.items()}
                response = await client.request(method, path, headers=fields)
            await gateway.close()
            return response

        return run(go())

    return request

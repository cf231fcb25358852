"""Gateways on loopback: honest ones over a real store, and others whose every answer is a test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pinfold.core.car import encode_header, record_prefix
from pinfold.core.cid import CID
from pinfold.node.export import export
from pinfold.store import Store

Answer = Callable[[BaseHTTPRequestHandler], None]

CAR_TYPE = "application/vnd.ipld.car; version=1; order=dfs; dups=n"


@contextmanager
def gateway(answer: Answer) -> Iterator[str]:
    """The URL of a server on loopback whose every answer is this function's; connections are kept."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            try:
                answer(self)
            except ConnectionError:  # the client had enough
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # one that waits for the next request of a client that forgot it is not waited for

        def handle_error(self, *_: object) -> None:
            pass  # a client that went away

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """A whole answer."""
    request.send_response(status)
    for name, value in ({"Content-Length": str(len(body))} | headers).items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


def begin(request: BaseHTTPRequestHandler, kind: str = CAR_TYPE) -> None:
    """The head of an answer that ends with its connection."""
    request.send_response(200)
    request.send_header("Content-Type", kind)
    request.send_header("Connection", "close")
    request.end_headers()
    request.wfile.flush()
    request.close_connection = True


def wants_car(request: BaseHTTPRequestHandler) -> bool:
    """Whether a request asks for a CAR."""
    return "format=car" in request.path


def asked_for(request: BaseHTTPRequestHandler) -> CID:
    """The CID of a request."""
    return CID.parse(request.path.partition("?")[0].rpartition("/")[2])


def not_found(request: BaseHTTPRequestHandler) -> None:
    """Has nothing."""
    send(request, b"not here", 404)


def car_of(cid: CID, blocks: Iterable[tuple[CID, bytes]]) -> bytes:
    """A CAR with these records in this order."""
    records = b"".join(record_prefix(block.bytes, len(data)) + data for block, data in blocks)
    return encode_header([cid.bytes]) + records


class Honest:
    """What a trustless gateway over a store answers; ``blocks`` and ``cars`` are what it was asked for."""

    def __init__(self, store: Store, *, car: bool = True, without: Iterable[CID] = ()) -> None:
        """``car`` is whether it makes CARs; ``without`` are blocks that it denies to have."""
        self._store = store
        self._car = car
        self._without = {cid.multihash for cid in without}
        self.blocks: list[CID] = []
        self.cars: list[CID] = []

    def __call__(self, request: BaseHTTPRequestHandler) -> None:
        cid = asked_for(request)
        row = self._store.row(cid.multihash) if cid.multihash not in self._without else None
        if wants_car(request):
            assert "application/vnd.ipld.car" in request.headers["Accept"]
            self.cars.append(cid)
            if not self._car:
                send(request, b"no CARs here", 406)
            elif row is None:
                not_found(request)
            else:
                begin(request)
                export(self._store, cid, request.connection.fileno())
            return
        assert request.path.endswith("?format=raw")
        assert request.headers["Accept"] == "application/vnd.ipld.raw"
        self.blocks.append(cid)
        send(request, self._store.read(cid.multihash)) if row else not_found(request)

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from tusclient import client as tus

from pinfold.node import Node
from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import PATIENCE_S, ColdUp, Up

TUS = "/api/v1/files/tus"
VERSION = {"Tus-Resumable": "1.0.0"}
MIB = 1 << 20


def tus_client(up: Up) -> tus.TusClient:
    return tus.TusClient(up.api_url + TUS, headers={"Authorization": f"Bearer {up.token}"})


def begin(up: Up, length: int) -> str:
    name = base64.b64encode(b"resumed.bin").decode()
    headers = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": f"filename {name}"}
    response = up.api.post(TUS, headers=headers)
    assert response.status_code == 201, response.text
    return response.headers["location"]


def offset_of(up: Up, place: str) -> int:
    return int(up.api.head(place, headers=VERSION).headers["upload-offset"])


def send(up: Up, place: str, offset: int, data: bytes) -> httpx.Response:
    headers = {**VERSION, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
    return up.api.patch(place, content=data, headers=headers)


class HalfSent:
    """A PATCH on a raw socket whose body never ends."""

    def __init__(self, up: Up, place: str, offset: int, length: int) -> None:
        address = urlsplit(up.api_url)
        assert address.hostname and address.port
        self.socket = socket.create_connection((address.hostname, address.port), TIMEOUT_S)
        head = (
            f"PATCH {place} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {up.token}\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {length}\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)


def test_a_tus_client_uploads_in_chunks_with_checksums_and_the_gateway_serves_it(pinfold: Pinfold) -> None:
    data = os.urandom(7 * MIB + 123)
    source = pinfold.work / "film.bin"
    source.write_bytes(data)
    with Up(pinfold, max_upload_bytes="1MiB") as up:
        with source.open("rb") as stream:
            uploader = tus_client(up).uploader(
                file_stream=stream,
                chunk_size=2 * MIB,
                metadata={"filename": "film.bin", "tags": "film"},
                upload_checksum=True,
            )
            uploader.upload()
        (record,) = up.api.get("/api/v1/files").json()["data"]
        assert (record["name"], record["size"], record["tags"]) == ("film.bin", len(data), ["film"])
        up.until_pinned(record["cid"])
        assert up.gateway.get(f"/ipfs/{record['cid']}").content == data


def test_an_upload_goes_on_after_the_server_was_killed_in_the_middle(pinfold: Pinfold) -> None:
    data = os.urandom(80 * MIB)
    with Up(pinfold) as up:
        token, place = up.token, begin(up, len(data))
        assert send(up, place, 0, data[: 5 * MIB]).status_code == 204
        half = HalfSent(up, place, 5 * MIB, 75 * MIB)
        half.send(data[5 * MIB : 60 * MIB])
        end = time.monotonic() + PATIENCE_S
        while offset_of(up, place) <= 5 * MIB:  # some of an unfinished request is durable and told of
            assert time.monotonic() < end
            time.sleep(0.01)
        acknowledged = offset_of(up, place)
        up.process.kill()
        up.wait()
        half.socket.close()
    with Up(pinfold, token=token) as up:
        offset = offset_of(up, place)
        assert acknowledged <= offset <= 60 * MIB
        last = send(up, place, offset, data[offset:])
        assert last.status_code == 204, last.text
        record = up.api.get(f"/api/v1/files/{last.headers['pinfold-file-id']}").json()["data"]
        assert record["size"] == len(data)
        up.until_pinned(record["cid"])
        served = hashlib.sha256(up.gateway.get(f"/ipfs/{record['cid']}").content)
        assert served.digest() == hashlib.sha256(data).digest()


def test_a_client_that_goes_away_keeps_what_it_sent(pinfold: Pinfold) -> None:
    data = os.urandom(3 * MIB)
    with Up(pinfold) as up:
        place = begin(up, len(data))
        half = HalfSent(up, place, 0, len(data))
        half.send(data[: 2 * MIB])
        time.sleep(0.1)  # so that the server has begun to read; whether all of it came is not claimed
        half.socket.close()
        end = time.monotonic() + PATIENCE_S
        while (answer := send(up, place, offset_of(up, place), b"")).status_code != 204:
            assert answer.status_code in {423, 409}  # the request cut off is still held, or stored more in between
            assert time.monotonic() < end
            time.sleep(0.01)
        offset = offset_of(up, place)
        assert 0 < offset <= 2 * MIB
        assert send(up, place, offset, data[offset:]).headers["pinfold-file-id"]


def test_what_was_given_up_leaves_no_bytes(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        place = begin(up, 3 * MIB)
        send(up, place, 0, os.urandom(2 * MIB))
        assert up.api.delete(place, headers=VERSION).status_code == 204
        assert list((pinfold.data_dir / "uploads").iterdir()) == []
        up.stop()
    with Node(pinfold.data_dir) as node:
        node.gc()
        assert node.repo_stat().blocks == 0


def test_a_large_resumable_upload_keeps_memory_flat(pinfold: Pinfold, tmp_path: Path) -> None:
    piece = os.urandom(16 * MIB)
    with ColdUp(pinfold) as up:
        up.upload(b"warm")
        before = up.resident_bytes()
        place = begin(up, 12 * len(piece))
        for number in range(12):
            answer = send(up, place, number * len(piece), piece)
            assert answer.status_code == 204, answer.text
        assert answer.headers["pinfold-file-id"]
        assert up.resident_bytes() - before < 80 * MIB

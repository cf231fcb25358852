"""``pinfold up``: the thin line from an upload to the gateway, with real processes."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pexpect
import pytest

from pinfold.core.cid import CID
from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.up import PATIENCE_S, ColdUp, Up

UPLOAD = "/api/v1/files/upload"
BOUNDARY = "b0undary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
HEAD = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="big.bin"\r\n\r\n'.encode()
TAIL = f"\r\n--{BOUNDARY}--\r\n".encode()


def pins(pinfold: Pinfold) -> set[str]:
    return {line.split()[0] for line in pinfold("pin", "ls", "--type", "recursive").lines}


def test_an_upload_is_pinned_served_and_still_there_after_a_restart(pinfold: Pinfold) -> None:
    data = random.Random(1).randbytes(3 << 20)
    with ColdUp(pinfold) as up:
        assert up.first_token
        file = pinfold.data_dir / "first-token"
        assert f'export TOKEN="$(cat {file})"' in up.banner
        record = up.upload(data, "data.bin")
        assert record["pinStatus"] == "queued"
        assert up.until_pinned(record["cid"])["status"] == "healthy"
        path = f"/ipfs/{record['cid']}"
        assert up.gateway.get(path).content == data
        part = up.gateway.get(path, headers={"Range": "bytes=1048570-1048585"})
        assert (part.status_code, part.content) == (206, data[1048570:1048586])
        assert up.gateway.get(path, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
        token = up.token
        assert up.stop() == 0
    assert token not in up.log + up.banner
    assert str(file) in up.log
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert pinfold("cat", record["cid"]).stdout == data
    with Up(pinfold, token=token) as up:
        assert up.first_token is None
        assert token not in up.banner + up.log
        assert "the file with the first token is still there" in up.log
        assert up.api.get(f"/api/v1/files/{record['id']}").json()["data"]["pinStatus"] == "pinned"
        assert up.gateway.get(path).content == data
        assert up.api.delete(f"/api/v1/files/{record['id']}").status_code == 200
        assert up.stop(signal.SIGINT) == 0
    assert not pins(pinfold)
    assert pinfold("repo", "verify").code == 0


def test_the_command_line_works_beside_it_on_the_same_folder(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        (pinfold.work / "note.txt").write_text("from the command line")
        cid = pinfold("add", "-Q", "note.txt").lines[0]
        assert up.gateway.get(f"/ipfs/{cid}").text == "from the command line"
        up.api.post(f"/api/v1/pins/{cid}").raise_for_status()
        up.until_pinned(cid)
        record = up.upload(b"from the API")
        assert pinfold("cat", record["cid"]).out == "from the API"
        pinfold("repo", "gc")
        assert up.gateway.get(f"/ipfs/{record['cid']}").text == "from the API"


def test_without_the_token_nothing_is_given(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        for headers in ({"Authorization": "Bearer pf_wrong"}, {"Authorization": ""}):
            response = up.api.get("/api/v1/files", headers=headers)
            assert response.status_code == 401
            assert response.json()["code"] == "UNAUTHORISED"
        assert up.api.get("/ping", headers={"Authorization": ""}).status_code == 200


def test_a_second_one_on_the_same_folder_says_so(pinfold: Pinfold) -> None:
    with Up(pinfold):
        answer = pinfold("up", "--api-address", "127.0.0.1:0", "--gateway-address", "127.0.0.1:0", code=None)
        assert answer.code != 0
        assert "already" in answer.err
        assert "Traceback" not in answer.err


def test_a_port_in_use_is_said_plainly(pinfold: Pinfold) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        answer = pinfold("up", "--api-address", address, "--gateway-address", "127.0.0.1:0", code=1)
    assert f"{address} is in use" in answer.err
    assert "PINFOLD_API_ADDRESS" in answer.err
    assert not (pinfold.data_dir / "platform.sqlite3").exists()


def test_a_setting_that_cannot_be_used_is_named(pinfold: Pinfold) -> None:
    answer = pinfold("up", "--gateway-address", "nonsense", code=None)
    assert answer.code == 93
    assert "gateway_address" in answer.err


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_addresses_may_be_ipv6(pinfold: Pinfold) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with Up(pinfold, api_address="[::1]:0", gateway_address="[::1]:0") as up:
        assert up.api_url.startswith("http://[::1]:")
        record = up.upload(b"six")
        assert up.gateway.get(f"/ipfs/{record['cid']}").content == b"six"


def test_a_large_upload_keeps_memory_flat(pinfold: Pinfold) -> None:
    size, block = 300 << 20, random.Random(2).randbytes(1 << 20)

    def body() -> Iterator[bytes]:
        yield HEAD
        for number in range(size // len(block)):
            yield number.to_bytes(4, "big") + block[4:]
        yield TAIL

    with ColdUp(pinfold, max_upload_bytes="300MiB") as up:
        response = up.api.post(UPLOAD, content=body(), headers=FORM)
        assert response.status_code == 201, response.text
        assert response.json()["data"]["size"] == size
        digest, received = hashlib.sha256(), 0
        with up.gateway.stream("GET", f"/ipfs/{response.json()['data']['cid']}") as stream:
            for chunk in stream.iter_bytes():
                digest.update(chunk)
                received += len(chunk)
        assert received == size
        assert up.resident_bytes() < 200 << 20
    expected = hashlib.sha256()
    for number in range(size // len(block)):
        expected.update(number.to_bytes(4, "big") + block[4:])
    assert digest.digest() == expected.digest()


def test_slow_readers_take_little_memory(pinfold: Pinfold) -> None:
    size = 64 << 20
    with ColdUp(pinfold) as up:
        record = up.upload(random.Random(3).randbytes(size), "big.bin")
        before = up.resident_bytes()
        where = urlsplit(up.gateway_url)
        readers = []
        for _ in range(8):
            reader = socket.create_connection((where.hostname or "", where.port or 0))
            reader.sendall(f"GET /ipfs/{record['cid']} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert reader.recv(100).startswith(b"HTTP/1.1 200")
            readers.append(reader)
        assert up.gateway.get(f"/ipfs/{record['cid']}", headers={"Range": "bytes=0-9"}).status_code == 206
        assert up.resident_bytes() - before < 40 << 20
        for reader in readers:
            reader.close()


def test_a_file_over_the_limit_is_413_whether_its_length_is_known_or_not(pinfold: Pinfold) -> None:
    def body() -> Iterator[bytes]:
        yield HEAD
        for _ in range(40):
            yield b"x" * 65_536
        yield TAIL

    with Up(pinfold, max_upload_bytes="1MiB") as up:
        unknown = up.api.post(UPLOAD, content=body(), headers=FORM)
        assert (unknown.status_code, unknown.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")
        where = urlsplit(up.api_url)
        with socket.create_connection((where.hostname or "", where.port or 0)) as client:
            client.sendall(
                f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {up.token}\r\n"
                f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: 999999999\r\n\r\n".encode()
            )
            assert client.recv(100).startswith(b"HTTP/1.1 413")
        assert up.upload(b"x" * (1 << 20))["size"] == 1 << 20


def test_a_malformed_form_is_400_and_the_server_goes_on(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        response = up.api.post(UPLOAD, content=HEAD + b"x" * 100_000, headers=FORM)
        assert response.status_code == 400
        assert up.api.get("/api/v1/files").json()["pagination"]["total"] == 0
        assert up.upload(b"fine")["size"] == 4


def test_a_kill_in_the_middle_of_an_upload_loses_nothing_and_leaves_nothing(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        kept = up.upload(b"acknowledged before")
        sent = threading.Event()

        def body() -> Iterator[bytes]:
            yield HEAD
            seed = random.Random(4)
            for number in range(1000):
                yield seed.randbytes(1 << 20)
                if number == 20:
                    sent.set()

        def push() -> None:
            with pytest.raises(httpx.HTTPError):
                up.api.post(UPLOAD, content=body(), headers=FORM)

        pushing = threading.Thread(target=push)
        pushing.start()
        assert sent.wait(PATIENCE_S)
        up.process.kill()
        pushing.join(PATIENCE_S)
        token = up.token
    with Up(pinfold, token=token) as up:
        assert up.first_token is None
        assert up.until_pinned(kept["cid"])["healthy_replicas"] == 1
        assert up.api.get("/api/v1/files").json()["pagination"]["total"] == 1
        assert up.gateway.get(f"/ipfs/{kept['cid']}").content == b"acknowledged before"
        assert up.upload(b"and on it goes")["size"] == 14
        assert up.stop() == 0
    pinfold("repo", "verify")
    pinfold("repo", "gc")
    assert pinfold("repo", "stat", "--json").json["blocks"] == 2
    assert pins(pinfold) == {kept["cid"], str(CID.of(b"and on it goes"))}


def test_a_kill_right_after_the_answer_loses_nothing(pinfold: Pinfold) -> None:
    token, cids = "", []
    for number in range(3):
        with Up(pinfold, token=token) as up:
            token = up.token
            cids.append(up.upload(b"%d" % number)["cid"])
            up.process.kill()
    with Up(pinfold, token=token) as up:
        for cid in cids:
            up.until_pinned(cid)
            pinfold("repo", "gc")
            assert up.gateway.get(f"/ipfs/{cid}").status_code == 200


def test_a_stop_lets_a_running_upload_finish(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        started, answers = threading.Event(), []

        def body() -> Iterator[bytes]:
            yield HEAD + b"first "
            started.set()
            time.sleep(0.5)  # the signal comes meanwhile
            yield b"second" + TAIL

        def push() -> None:
            answers.append(up.api.post(UPLOAD, content=body(), headers=FORM))

        pushing = threading.Thread(target=push)
        pushing.start()
        assert started.wait(PATIENCE_S)
        time.sleep(0.1)
        assert up.stop() == 0
        pushing.join(PATIENCE_S)
    assert answers[0].status_code == 201
    assert pinfold("cat", answers[0].json()["data"]["cid"]).out == "first second"


@pytest.mark.parametrize("grace_s", ["1", "60"])
def test_a_stalled_upload_does_not_hold_up_the_stop_for_the_whole_grace(pinfold: Pinfold, grace_s: str) -> None:
    with Up(pinfold, shutdown_grace_s=grace_s) as up:
        where = urlsplit(up.api_url)
        with socket.create_connection((where.hostname or "", where.port or 0)) as client:
            client.sendall(
                f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {up.token}\r\n"
                f"Content-Type: {FORM['Content-Type']}\r\nContent-Length: 99999\r\n\r\n".encode()
                + HEAD
                + b"x" * 50_000
            )
            time.sleep(0.2)
            began = time.monotonic()
            assert up.stop() == 0
            assert time.monotonic() - began < 20
        assert "Traceback" not in up.log
        assert '"level": "error"' not in up.log
    assert not pins(pinfold)


def test_curl_s_command_of_the_banner_works_as_it_is_printed(pinfold: Pinfold) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    (pinfold.work / "README.md").write_text("read me")
    with Up(pinfold) as up:
        lines = [line.strip() for line in up.banner.splitlines() if line.startswith("    export") or "curl " in line]
        script = "\n".join(lines)
        done = subprocess.run(["sh", "-ec", script], check=True, cwd=pinfold.work, capture_output=True, text=True)
        assert '"pinStatus":"queued"' in done.stdout, done.stderr


def test_on_a_terminal_the_first_token_is_shown_and_kept_in_no_file(pinfold: Pinfold) -> None:
    program, *rest = pinfold.command("up", "--api-address", "0.0.0.0:0", "--gateway-address", "127.0.0.1:0")
    environment = {**pinfold.environment, "PINFOLD_LOG_FORMAT": "json"}
    child = pexpect.spawn(program, rest, cwd=str(pinfold.work), env=environment, timeout=TIMEOUT_S, encoding="utf-8")
    try:
        child.expect(r"on every address of this machine: 0\.0\.0\.0:\d+")
        child.expect(r"    (pf_[\w-]{43})\r\n")
        assert isinstance(child.match, re.Match)
        token = child.match[1]
        child.expect_exact(f"export TOKEN={token}")
        child.expect_exact("stops it")
        child.kill(signal.SIGTERM)
        child.expect(pexpect.EOF)
        assert token not in str(child.before)
    finally:
        child.close(force=True)
    assert not (pinfold.data_dir / "first-token").exists()


def test_log_lines_are_json_and_tell_no_token(pinfold: Pinfold) -> None:
    import json

    with Up(pinfold) as up:
        up.upload(b"x")
        up.stop()
    lines = [json.loads(line) for line in up.log.splitlines()]
    assert {"request", "stopping", "stopped"} <= {line["event"] for line in lines}
    assert up.token not in up.log


@pytest.mark.parametrize("door", ["api", "gateway"])
def test_a_head_without_an_end_is_cut_off(pinfold: Pinfold, door: str) -> None:
    with Up(pinfold) as up:
        client = up.api if door == "api" else up.gateway
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=PATIENCE_S) as raw:
            answer = b""
            with contextlib.suppress(ConnectionError):
                raw.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\nX: ")
                for _ in range(1000):
                    raw.sendall(b"a" * 65536)
            with contextlib.suppress(ConnectionError):
                answer = raw.recv(1000)
        assert answer[:12] in (b"", b"HTTP/1.1 431")
        assert client.get("/").status_code < 500


def test_a_pin_of_the_platform_is_not_removed_by_hand_unless_forced(pinfold: Pinfold) -> None:
    with Up(pinfold) as up:
        record = up.upload(b"content", "a.txt")
        up.until_pinned(record["cid"])
        refused = pinfold("pin", "rm", record["cid"], code=41)
        assert "--force" in refused.err
        pinfold("pin", "rm", "--force", record["cid"])

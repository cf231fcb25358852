"""`pinfold login`, `push`, `pins` and `files` against a real server."""

from __future__ import annotations

import random
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import Answer, Pinfold
from tests.support.gateways import gateway
from tests.support.up import PATIENCE_S, Up


class User:
    """Somebody with a home of their own, signed in by the environment."""

    def __init__(self, home: Path, up: Up, token: str = "") -> None:
        self.pinfold = Pinfold(home)
        self.given = {"PINFOLD_SERVER": up.api_url, "PINFOLD_TOKEN": token or up.token}

    def __call__(self, *args: str, code: int = 0) -> Answer:
        return self.pinfold(*args, code=code, env=self.given)

    def push(self, *args: str) -> dict[str, Any]:
        """What a push says as JSON."""
        said: dict[str, Any] = self("push", "--json", *args).json
        return said


@pytest.fixture
def up(pinfold: Pinfold) -> Iterator[Up]:
    with Up(pinfold) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log


def write_site(user: User) -> Path:
    """A folder of 3 x 20 small files and one of several chunks: 67 blocks and their folders."""
    seed = random.Random(3)
    for folder in range(3):
        for file in range(20):
            user.pinfold.write(f"site/{folder}/{file}.txt", b"%d %d" % (folder, file))
    user.pinfold.write("site/video.bin", seed.randbytes(5 << 20))
    return user.pinfold.work / "site"


def test_a_push_sends_everything_once_then_nothing_then_the_path_of_what_changed(up: Up, tmp_path: Path) -> None:
    user = User(tmp_path / "user", up)
    site = write_site(user)
    first = user.push("--name", "my site", "--tag", "web", "site")
    assert first["blocks_sent"] == first["blocks"] == 60 + 3 + 5 + 1 + 1
    up.until_pinned(first["cid"])
    assert first["link"] == f"{up.gateway_url}/ipfs/{first['cid']}"
    assert up.gateway.get(f"/ipfs/{first['cid']}/1/7.txt").text == "1 7"
    assert up.gateway.get(f"/ipfs/{first['cid']}/video.bin").content == (site / "video.bin").read_bytes()
    record = up.api.get(f"/api/v1/files/{first['id']}").json()["data"]
    assert (record["name"], record["tags"], record["cid"]) == ("my site", ["web"], first["cid"])

    again = user.push("--name", "my site", "site")
    assert (again["blocks_sent"], again["bytes_sent"], again["id"]) == (0, 0, first["id"])
    assert "sent nothing: all 70 blocks are there" in user("push", "site").out

    (site / "1" / "7.txt").write_text("changed")
    changed = user.push("site")
    assert changed["blocks_sent"] == 3  # the file, its folder, the root
    assert changed["bytes_sent"] < 5000
    assert up.gateway.get(f"/ipfs/{changed['cid']}/1/7.txt").text == "changed"
    with (site / "video.bin").open("r+b") as video:
        video.seek(3 << 20)
        video.write(b"another scene")
    assert user.push("site")["blocks_sent"] == 3  # a chunk, the file's node, the root
    records = up.api.get("/api/v1/files").json()["data"]
    assert sorted(record["name"] for record in records) == ["my site"] + ["site"] * 3  # the first content by both names
    # The client's CIDs are those of an add, and it needed no data folder for them.
    assert user("add", "-nQ", "site").lines[0] == user.push("site")["cid"]


def test_what_another_organisation_has_is_sent_all_the_same(up: Up, pinfold: Pinfold, tmp_path: Path) -> None:
    write_site(user := User(tmp_path / "user", up))
    whole = user.push("site")["blocks"]
    pinfold("org", "create", "Other", "--plan", "unlimited")
    other = User(tmp_path / "other", up, pinfold("token", "create", "--org", "other").lines[0])
    shutil.copytree(user.pinfold.work / "site", other.pinfold.work / "site")
    assert other.push("site")["blocks_sent"] == whole
    assert other.push("site")["blocks_sent"] == 0


def test_what_was_deleted_there_is_sent_again(up: Up, tmp_path: Path) -> None:
    user = User(tmp_path / "user", up)
    user.pinfold.write("a.txt", b"one file")
    first = user.push("a.txt")
    assert user.push("a.txt")["blocks_sent"] == 0
    assert user("files", "ls", "--json").json["id"] == first["id"]
    user("files", "rm", first["id"])
    assert user("files", "ls").out == ""
    assert user.push("a.txt")["blocks_sent"] == 1


def test_a_push_that_may_not_be_or_does_not_fit_says_why(up: Up, pinfold: Pinfold, tmp_path: Path) -> None:
    reader = User(tmp_path / "user", up, pinfold("token", "create", "--scope", "files:read").lines[0])
    reader.pinfold.write("a.bin", bytes(30_000))
    assert "files:write" in reader("push", "a.bin", code=98).err
    pinfold("org", "set", "default", "--quota-bytes", "10KiB")
    owner = User(tmp_path / "user", up)
    assert "quota" in owner("push", "a.bin", code=94).err
    assert owner("push", "nothing.bin", code=35).out == ""
    assert owner("push", "--name", "x", "a.bin", "a.bin", code=2).out == ""
    nobody = User(tmp_path / "user", up, "pf_" + "x" * 43)
    assert nobody("push", "a.bin", code=91).out == ""


def test_signing_in_keeps_a_token_for_its_owner_only(up: Up, pinfold: Pinfold) -> None:
    said = pinfold("login", up.api_url, "--token-stdin", stdin=f"{up.token}\n".encode())
    assert "organisation default" in said.out
    assert up.token not in said.out + said.err
    kept = Path(re.findall(r"kept in (\S+)\.$", said.err.strip())[0])
    assert kept.stat().st_mode & 0o777 == 0o600
    who = pinfold("whoami", "--json").json
    assert (who["server"], who["organisation"]) == (up.api_url, "default")
    assert "files:write" in who["scopes"]
    pinfold("login", up.api_url, "--token-stdin", stdin=b"pf_wrong\n", code=91)
    pinfold("whoami")  # the good one is still there
    assert pinfold("logout").out == "signed out\n"
    assert "pinfold login" in pinfold("whoami", code=91).err


def test_pins_are_asked_for_listed_shown_and_taken_back(up: Up, pinfold: Pinfold, tmp_path: Path) -> None:
    user = User(tmp_path / "user", up)
    cid = pinfold.add("--no-pin", "-", stdin=b"here already")
    made = user("pins", "add", "--name", "trip", "--meta", "app=test", "--priority", "high", cid, "--json").json
    assert made["name"] == "trip"
    up.until_pinned(cid)
    assert user("pins", "ls", "--name", "RI", "--json").json == {**made, "status": "pinned"}
    assert user("pins", "add", "--wait", cid).out == f"pinned {cid}\n"
    user("pins", "rm", user("pins", "ls", "--json").json_lines[0]["id"])
    assert user("pins", "ls", "--status", "failed").out == ""
    assert user("pins", "ls").out.split() == [made["id"], "pinned", cid, "trip"]
    status = user("pins", "status", cid, "--json").json
    assert (status["status"], status["healthy_replicas"]) == ("healthy", 1)
    user("pins", "rm", made["id"])
    assert user("pins", "ls", "-q").out == ""
    assert user("pins", "add", "nonsense", code=11).out == ""


NOWHERE = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
WHY = "there is nobody to fetch from"


def test_a_failed_pin_says_why_wherever_a_person_looks(pinfold: Pinfold, tmp_path: Path) -> None:
    with Up(pinfold) as up:
        organisation = up.api.get("/api/v1/me").json()["data"]["organisation_id"]
        look_for_the_reason(up, tmp_path)
        up.stop()
    (line,) = [line for line in up.log.splitlines() if "pin failed" in line and NOWHERE in line]
    assert organisation in line


def look_for_the_reason(up: Up, tmp_path: Path) -> None:
    user = User(tmp_path / "user", up)
    waited = user("pins", "add", "--wait", NOWHERE, code=90)
    assert waited.out == f"failed {NOWHERE}\n"
    assert WHY in waited.err and "stay on the server" in waited.err
    (made,) = user("pins", "ls", "--json").json_lines
    assert made["status"] == "failed" and WHY in made["error"]
    assert WHY in user("pins", "ls").lines[1]
    shown = user("pins", "status", NOWHERE)
    assert shown.lines[0].endswith("request failed") and shown.out.count(WHY) == 1
    assert WHY in user("pins", "status", NOWHERE, "--json").json["error"]
    user("pins", "rm", made["id"])
    assert "/api/" not in user("pins", "status", NOWHERE, code=33).err


def test_waiting_ends_at_its_time_limit_or_by_ctrl_c_and_the_request_stays(pinfold: Pinfold, tmp_path: Path) -> None:
    let_go = threading.Event()

    def silent(request: BaseHTTPRequestHandler) -> None:
        let_go.wait(PATIENCE_S)

    with gateway(silent) as url, Up(pinfold, fetch_from=url) as up:
        try:
            user = User(tmp_path / "user", up)
            assert "not pinned within 1 s" in user("pins", "add", "--wait", "--timeout", "1", NOWHERE, code=96).err
            assert user("pins", "add", "--timeout", "1", NOWHERE, code=2).out == ""
            waiting = subprocess.Popen(
                user.pinfold.command("pins", "add", "--wait", "--name", "second", NOWHERE),
                env={**user.pinfold.environment, **user.given},
                stderr=subprocess.PIPE,
                text=True,
            )
            assert waiting.stderr is not None
            assert NOWHERE in waiting.stderr.readline()  # the first line of progress: the request is made
            waiting.send_signal(signal.SIGINT)
            assert "stay on the server" in waiting.communicate(timeout=PATIENCE_S)[1]
            assert waiting.returncode == 130
            assert {one["name"] for one in user("pins", "ls", "--json").json_lines} == {"", "second"}
        finally:
            let_go.set()


def test_a_server_that_is_away_is_said(up: Up, tmp_path: Path) -> None:
    user = User(tmp_path / "user", up)
    user.pinfold.write("a.txt", b"a")
    up.stop()
    assert "cannot be reached" in user("push", "a.txt", code=90).err

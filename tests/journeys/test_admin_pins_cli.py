"""The administrator's commands on pin requests and plans, beside a server and without one."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.support.cli import Pinfold
from tests.support.up import PATIENCE_S, Up


@pytest.fixture
def place(pinfold: Pinfold) -> Pinfold:
    """A server's place, on SQLite; what the commands call is tried on both databases in ``contract``."""
    pinfold.data_dir.mkdir()
    pinfold("db", "upgrade")
    return pinfold


def ask(up: Up, cid: str, name: str, token: str = "") -> dict[str, Any]:
    """A request by the API."""
    headers = {"Authorization": f"Bearer {token or up.token}"}
    response = up.api.post("/api/v1/pins", json={"cid": cid, "name": name}, headers=headers)
    assert response.status_code == 202, response.text
    made: dict[str, Any] = response.json()["data"]
    return made


def until(place: Pinfold, status: str, *more: str) -> list[dict[str, Any]]:
    """The requests that stand so, as soon as there are any."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found: list[dict[str, Any]] = place("pin", "requests", "--status", status, *more, "--json").json_lines
        if found:
            return found
    raise AssertionError(f"nothing {status}: {place('pin', 'requests').out}")


def test_requests_of_all_organisations_are_seen_and_forgotten_beside_the_server(place: Pinfold) -> None:
    content = place.write("trip.txt", b"a long way")
    cid = place.add("--no-pin", "--cid-version=1", str(content))
    with Up(place) as up:
        place("org", "create", "Acme")
        token = place("token", "create", "--org", "acme").lines[0]
        mine, theirs = ask(up, cid, "My Trip"), ask(up, cid, "\x1b[2Jother", token)
        up.until_pinned(cid)
        until(place, "pinned", "--org", "acme")
        listed = [line.split(maxsplit=4) for line in place("pin", "requests").lines]
        assert listed == [
            [theirs["id"], "pinned", cid, "acme", "\\x1b[2Jother"],
            [mine["id"], "pinned", cid, "default", "My Trip"],
        ]
        assert [one["id"] for one in place("pin", "requests", "--name", "TRIP", "--json").json_lines] == [mine["id"]]
        assert place("pin", "requests", "--quiet").lines == [cid]
        assert len(place("pin", "requests", "--limit", "1").lines) == 1
        stands = place("pin", "status", cid, "--json").json
        assert (stands["cid"], stands["status"], stands["healthy_replicas"]) == (cid, "healthy", 1)
        assert [node["status"] for node in stands["nodes"]] == ["pinned"]
        assert [(one["organisation"], one["name"]) for one in stands["requests"]] == [
            ("default", "My Trip"),
            ("acme", "\x1b[2Jother"),
        ]
        told = place("pin", "status", cid).lines
        assert told[0] == f"{cid} healthy (1 of 1 copies)"
        assert told[-1] == f"  request {theirs['id']}  pinned, acme  \\x1b[2Jother"
        assert "several organisations" in place("pin", "forget", mine["id"], code=36).err
        assert "pin requests" in place("pin", "forget", mine["id"], "--org", "acme", code=33).err
        for made, org in ((mine, "default"), (theirs, "acme")):
            assert place("pin", "forget", made["id"], "--org", org).lines == [f"forgot {made['id']} {cid}"]
            (row, *_) = place("audit", "list", "--org", org, "--action", "pin.deleted", "--json").json_lines
            assert (row["target"], row["actor_name"]) == (made["id"], "command line")
            assert place("audit", "verify", "--org", org, "--json").json["ok"]
        end = time.monotonic() + PATIENCE_S
        while cid in place("pin", "ls", "-q").out:  # until the server's worker has let go of it
            assert time.monotonic() < end
        assert "names" in place("pin", "status", cid, code=33).err


def test_a_failed_request_is_tried_again_by_command(place: Pinfold) -> None:
    content = place.write("late.txt", b"here after all")
    cid = place.add("--only-hash", str(content))
    with Up(place) as up:
        made = ask(up, cid, "late")
        (failed,) = until(place, "failed")
        assert failed["error"]
        assert failed["error"] in place("pin", "status", cid).out
        assert up.stop() == 0
    assert place.add("--no-pin", str(content)) == cid
    assert place("pin", "retry", made["id"]).lines == [f"retrying {made['id']} {cid}"]
    assert [one["id"] for one in until(place, "queued")] == [made["id"]]
    again = place("pin", "retry", cid)
    assert (again.out, again.err) == ("", f"nothing to retry for {cid}: it is queued\n")
    (row,) = place("audit", "list", "--action", "pin.retried", "--json").json_lines
    assert (row["target"], row["actor_name"]) == (made["id"], "command line")
    with Up(place, token=up.token) as up:
        up.until_pinned(cid)


def test_the_request_of_an_upload_goes_with_its_file_only(place: Pinfold) -> None:
    with Up(place) as up:
        record = up.upload(b"an upload", "report.txt")
        up.until_pinned(record["cid"])
        assert place("pin", "requests").out == ""
        (listed,) = place("pin", "requests", "--files", "--json").json_lines
        assert (listed["cid"], listed["of_file"], listed["name"]) == (record["cid"], True, "report.txt")
        answer = place("pin", "forget", listed["id"], code=41)
        command = f"file rm --org default {record['id']}"
        assert f"`pinfold {command}`" in answer.err
        assert place(*command.split()).lines == [f"deleted {record['id']}"]
        assert place("pin", "requests", "--files").out == ""


def test_the_nodes_own_pins_are_no_requests(place: Pinfold) -> None:
    place("org", "create", "Acme")
    cid = place.add(stdin=b"the node's own")
    assert cid in place("pin", "ls", "-q").lines
    assert place("pin", "requests", "--files").out == ""
    assert place("pin", "status", cid, code=33).out == ""


def test_a_plan_is_made_and_changed_and_holds_at_once(place: Pinfold) -> None:
    with Up(place) as up:
        assert place("plan", "set", "tight", "--requests-per-window", "2", "--window", "600").lines == ["made tight"]
        place("org", "create", "Acme", "--plan", "tight")
        token = place("token", "create", "--org", "acme").lines[0]

        def status() -> int:
            return up.api.get("/api/v1/pins", headers={"Authorization": f"Bearer {token}"}).status_code

        assert [status(), status(), status()] == [200, 200, 429]
        assert place("plan", "set", "tight", "--requests-per-window", "none", "--quota-bytes", "5KiB").lines == [
            "changed tight"
        ]
        assert status() == 200
        headers = {"Authorization": f"Bearer {token}"}
        refused = up.api.post("/api/v1/files/upload", files={"file": ("a", b"x" * 6000)}, headers=headers)
        assert refused.json()["code"] == "QUOTA_EXCEEDED"
    plans = {one["name"]: one for one in place("plan", "list", "--json").json_lines}
    assert plans["tight"] == {
        "name": "tight",
        "uploads_per_window": None,
        "requests_per_window": None,
        "window_s": 600,
        "quota_bytes": 5120,
        "quota_files": None,
        "quota_pins": None,
        "quota_requests_per_day": None,
    }
    assert {"free", "unlimited", "tight"} <= plans.keys()
    assert [line.split()[0] for line in place("plan", "list").lines] == ["name", *sorted(plans)]
    rows = place("audit", "list", "--org", "default", "--action", "plan.updated", "--json").json_lines
    assert [(row["target"], row["actor_name"], row["detail"]["quota_bytes"]) for row in rows] == [
        ("tight", "command line", 5120),
        ("tight", "command line", None),
    ]


def test_the_largest_numbers_are_kept_and_larger_ones_are_refused(place: Pinfold) -> None:
    place("org", "create", "Acme")
    most = str((1 << 63) - 1)
    place("plan", "set", "huge", "--quota-bytes", most, "--quota-files", most, "--uploads-per-window", "2147483647")
    huge = next(one for one in place("plan", "list", "--json").json_lines if one["name"] == "huge")
    assert (str(huge["quota_bytes"]), str(huge["quota_files"]), huge["uploads_per_window"]) == (most, most, 2147483647)
    assert "is more than" in place("org", "set", "acme", "--quota-bytes", "10000000000GiB", code=2).err

"""The administrator's commands: on the database of a platform, beside a server and without one."""

from __future__ import annotations

import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from pinfold.db.sign_ins import MOST_FROM_ADDRESS
from tests.support.cli import Pinfold
from tests.support.up import PATIENCE_S, Up

LONG = "correct horse battery"


@pytest.fixture
def place(pinfold: Pinfold, database_url: str) -> Pinfold:
    """A data folder whose platform is on one of the databases, and has never run."""
    pinfold.data_dir.mkdir()
    if database_url:
        (pinfold.data_dir / "pinfold.toml").write_text(f'database_url = "{database_url}"\n')
    pinfold("db", "upgrade")
    return pinfold


def asked(up: Up, token: str, path: str) -> httpx.Response:
    return up.api.get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_token_made_by_command_is_good_at_once_and_ends_at_once(place: Pinfold) -> None:
    with Up(place) as up:
        made = place("token", "create", "--scope", "files:read", "--name", "reader", "--json").json
        assert asked(up, made["token"], "/api/v1/files").status_code == 200
        assert asked(up, made["token"], "/api/v1/pins").status_code == 403
        listed = {one["name"]: one for one in place("token", "list", "--json").json_lines}
        assert set(listed) == {"owner", "reader"}
        assert made["token"] not in place("token", "list").out
        place("token", "revoke", made["id"])
        assert asked(up, made["token"], "/api/v1/files").status_code == 401
        assert up.stop() == 0


def test_a_lost_first_token_is_replaced_by_one_that_may_do_everything(place: Pinfold) -> None:
    with Up(place) as up:
        first = up.token
        again = place("token", "create", "--administrator").lines[-1]
        assert re.fullmatch(r"pf_[\w-]{43}", again)
        assert (
            asked(up, again, "/api/v1/me").json()["data"]["scopes"]
            == asked(up, first, "/api/v1/me").json()["data"]["scopes"]
        )


def test_a_token_has_an_end_and_a_number_of_uses_where_it_was_given_them(place: Pinfold) -> None:
    place("org", "create", "Acme")
    made = place("token", "create", "--expires", "30d", "--uses", "2", "--json").json
    assert made["uses_left"] == 2
    assert made["expires_at"] > "2026"
    with Up(place, token=made["token"]) as up:
        statuses = [asked(up, made["token"], "/api/v1/files").status_code for _ in range(3)]
    assert statuses == [200, 200, 401]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scope", "files:eat"], "there is no scope 'files:eat'"),
        (["--expires", "soon"], "not 'soon'"),
        (["--uses", "0"], "less than 1"),
        (["--org", "nobody"], "no organisation nobody"),
        (["--expires", "2001-01-01"], "in the past"),
    ],
)
def test_a_token_that_cannot_be_is_refused_with_a_sentence(pinfold: Pinfold, words: list[str], said: str) -> None:
    pinfold("db", "upgrade")
    pinfold("org", "create", "Acme")
    answer = pinfold("token", "create", *words, code=None)
    assert answer.code != 0
    assert said in answer.err
    assert not answer.out


def test_an_organisation_is_made_changed_suspended_and_resumed_while_a_server_runs(place: Pinfold) -> None:
    with Up(place) as up:
        made = place("org", "create", "Acme Research", "--json").json
        assert made["slug"] == "acme-research"
        assert "several organisations" in place("token", "create", code=36).err
        token = place("token", "create", "--org", "acme-research").lines[0]
        assert asked(up, token, "/api/v1/files").status_code == 200
        place("org", "set", "acme-research", "--quota-bytes", "5KiB", "--plan", "unlimited", "--name", "Acme")
        shown = place("org", "show", "acme-research", "--json").json
        assert (shown["quota_bytes"], shown["plan"], shown["name"]) == (5120, "unlimited", "Acme")
        told = place("org", "show", "acme-research").out
        assert re.search(r"^quota of bytes: +5120$", told, re.MULTILINE)
        assert re.search(r"^quota of files: +no limit \(of the plan\)$", told, re.MULTILINE)
        headers = {"Authorization": f"Bearer {token}"}
        refused = up.api.post("/api/v1/files/upload", files={"file": ("a", b"x" * 6000)}, headers=headers)
        assert refused.json()["code"] == "QUOTA_EXCEEDED"
        place("org", "suspend", "acme-research")
        assert asked(up, token, "/api/v1/files").status_code == 403
        place("org", "resume", "acme-research")
        assert asked(up, token, "/api/v1/files").status_code == 200
        assert [line.split()[0] for line in place("org", "list").lines] == ["acme-research", "default"]


def test_people_are_made_invited_disabled_and_get_new_passwords(place: Pinfold) -> None:
    with Up(place) as up:

        def sign_in(email: str, password: str) -> int:
            body = {"email": email, "password": password}
            return up.api.post("/api/v1/sessions", json=body, headers={"Authorization": ""}).status_code

        def status_of(email: str) -> str:
            return next(line.split()[1] for line in place("user", "list").lines if line.startswith(email))

        stdin = f"{LONG}\n".encode()
        place("user", "create", "eve@example.org", "--name", "Eve", "--password-stdin", stdin=stdin)
        assert sign_in("eve@example.org", LONG) == 201
        place("user", "disable", "eve@example.org")
        assert sign_in("eve@example.org", LONG) == 401
        place("user", "enable", "eve@example.org")
        place("user", "set-password", "eve@example.org", "--password-stdin", stdin=b"another long one\n")
        assert sign_in("eve@example.org", LONG) == 401
        assert sign_in("eve@example.org", "another long one") == 201
        invitation = place("user", "invite", "adam@example.org", "--role", "viewer").lines[0]
        body = {"token": invitation, "name": "Adam", "password": LONG}
        accepted = up.api.post("/api/v1/invitations/accept", json=body, headers={"Authorization": ""})
        assert accepted.status_code == 201, accepted.text
        emails = {one["email"] for one in place("user", "list", "--json").json_lines}
        assert {"eve@example.org", "adam@example.org"} < emails
        assert status_of("eve@example.org") == "active"
        for _ in range(MOST_FROM_ADDRESS):
            assert sign_in("eve@example.org", "wrong") == 401
        assert sign_in("eve@example.org", "another long one") == 401
        refused = place("audit", "list", "--action", "session.refused").lines
        assert len(refused) == MOST_FROM_ADDRESS + 1  # that before the enabling counts as well
        assert all("eve@example.org" in line and "127.0.0.1" in line for line in refused)
        place("user", "enable", "eve@example.org")
        assert sign_in("eve@example.org", "another long one") == 201
        assert status_of("eve@example.org") == "active"
        assert LONG not in up.log


def test_an_operator_disables_the_last_owner_and_makes_another_one(place: Pinfold) -> None:
    with Up(place, sign_up="open") as up:
        wish = {"email": "zoe@example.org", "name": "Zoe", "password": LONG, "organisation": "Zoe Ltd"}
        headers = {"Authorization": ""}
        session = up.api.post("/api/v1/sign-up", json=wish, headers=headers).json()["data"]["token"]
        assert asked(up, session, "/api/v1/me").status_code == 200
        place("user", "disable", "zoe@example.org")
        assert asked(up, session, "/api/v1/me").status_code == 401
        assert up.api.post("/api/v1/sessions", json=wish | {"organisation": ""}, headers=headers).status_code >= 400
        stdin = f"{LONG}\n".encode()
        place("user", "create", "eve@example.org", "--org", "zoe-ltd", "--password-stdin", stdin=stdin)
        assert place("user", "set-role", "eve@example.org", "owner", "--org", "zoe-ltd").lines == [
            "eve@example.org is owner now"
        ]
        place("user", "set-role", "zoe@example.org", "viewer", "--org", "zoe-ltd")
        assert "last owner" in place("user", "set-role", "eve@example.org", "viewer", "--org", "zoe-ltd", code=46).err
        assert "no member" in place("user", "set-role", "zoe@example.org", "viewer", "--org", "default", code=None).err
        assert place("user", "set-role", "eve@example.org", "king", "--org", "zoe-ltd", code=2).out == ""


def test_the_operator_disables_even_the_last_administrator_and_has_a_way_back(place: Pinfold) -> None:
    with Up(place) as up:
        assert up.stop() == 0
    (administrator,) = place("user", "list", "--json").json_lines
    assert "administrator" in place("user", "disable", administrator["email"]).err
    token = place("token", "create", "--administrator").lines[-1]
    with Up(place, token=token) as up:
        assert up.api.get("/api/v1/admin/users").status_code == 200
        place("user", "enable", administrator["email"])


def test_what_commands_change_stands_in_the_audit_log_which_proves_itself(place: Pinfold) -> None:
    place("org", "create", "Acme")
    made = place("token", "create", "--name", "one", "--json").json
    rows = place("audit", "list", "--json").json_lines
    assert [row["action"] for row in rows] == ["token.created", "organisation.created"]
    assert rows[0]["target"] == made["id"]
    assert rows[0]["actor_name"] == "command line"
    assert made["token"] not in place("audit", "list", "--json").out
    assert place("audit", "list", "--action", "token", "-n", "5", "--json").json_lines == rows[:1]
    assert place("audit", "verify", "--json").json == {
        "organisation": "acme",
        "ok": True,
        "rows": 2,
        "broken_at": None,
        "reason": "",
    }


def test_a_tampered_row_of_the_audit_log_is_found(pinfold: Pinfold) -> None:
    pinfold("db", "upgrade")
    pinfold("org", "create", "Acme")
    pinfold("token", "create")
    tamper(pinfold.data_dir / "platform.sqlite3")
    answer = pinfold("audit", "verify", code=63)
    assert "row 2" in answer.out
    assert "acme" in answer.err


def tamper(database: Path) -> None:
    """Change a row as somebody would who has the file, and knows how to go round what refuses that."""
    with sqlite3.connect(database) as rows:
        refusing: list[Any] = rows.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit_log'"
        ).fetchall()
        for (name,) in refusing:
            rows.execute(f"DROP TRIGGER {name}")
        assert rows.execute("UPDATE audit_log SET actor_name = 'nobody' WHERE number = 2").rowcount == 1
    rows.close()


def test_usage_is_shown_without_a_server(place: Pinfold) -> None:
    with Up(place) as up:
        up.until_pinned(up.upload(b"x" * 1000)["cid"])
        assert up.stop() == 0
    today = place("usage", "show", "--days", "1", "--json").json
    assert (today["files"], today["logical_bytes"], today["uploads"]) == (1, 1000, 1)
    assert place("usage", "show").lines[0].startswith("day")


def test_without_a_platform_commands_say_what_makes_one_and_make_nothing(pinfold: Pinfold) -> None:
    answer = pinfold("token", "create", code=86)
    assert "pinfold up" in answer.err
    assert not pinfold.data_dir.exists()
    pinfold("db", "upgrade")
    assert "no organisation yet" in pinfold("token", "create", code=36).err


def test_files_are_listed_shown_and_deleted_beside_the_server(place: Pinfold) -> None:
    with Up(place) as up:
        record = up.upload(b"an upload", "report.txt")
        up.until_pinned(record["cid"])
        (listed,) = place("file", "list", "--search", "EPOR", "--json").json_lines
        assert (listed["id"], listed["cid"], listed["pin_status"]) == (record["id"], record["cid"], "pinned")
        assert place("file", "list", "--tag", "none").out == ""
        assert "report.txt" in place("file", "show", record["cid"]).out
        assert place("file", "rm", record["id"]).lines == [f"deleted {record['id']}"]
        assert up.api.get(f"/api/v1/files/{record['id']}").status_code == 404
        assert "no file" in place("file", "show", record["id"], code=34).err
        end = time.monotonic() + PATIENCE_S
        while record["cid"] in place("pin", "ls", "-q").out:  # until the server's worker has let go of it
            assert time.monotonic() < end

"""Signing in to a server from the terminal: by a password, and by an invitation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pexpect
import pytest

from tests.support.cli import TIMEOUT_S, Answer, Pinfold
from tests.support.up import Up

EMAIL, PASSWORD = "eve@example.org", "a long password of hers"


@pytest.fixture
def up(pinfold: Pinfold) -> Iterator[Up]:
    """A server on which Eve is a member; no secret is in its log at the end."""
    with Up(pinfold, log_level="debug") as running:
        add_user(pinfold, EMAIL, PASSWORD)
        yield running
        running.stop()
        assert PASSWORD not in running.log
        assert "pfi_" not in running.log
        assert "Traceback" not in running.log


@pytest.fixture
def eve(tmp_path: Path) -> Pinfold:
    """A program with a home of its own."""
    return Pinfold(tmp_path / "eve")


def add_user(pinfold: Pinfold, email: str, password: str) -> None:
    pinfold("user", "create", email, "--password-stdin", stdin=f"{password}\n".encode())


def sign_in(user: Pinfold, up: Up, password: str = PASSWORD, *more: str, code: int = 0) -> Answer:
    args = ("login", up.api_url, "--email", EMAIL, "--password-stdin", *more)
    return user(*args, stdin=f"{password}\n".encode(), code=code)


def invite(pinfold: Pinfold, email: str) -> str:
    return pinfold("user", "invite", email, "--role", "viewer").out.strip()


def token_of(user: Pinfold) -> str:
    """The token that the home keeps."""
    (path,) = user.home.rglob("login.json")
    assert path.stat().st_mode & 0o777 == 0o600
    return str(json.loads(path.read_text())["token"])


def terminal(user: Pinfold, *args: str) -> pexpect.spawn[bytes]:
    program, *rest = user.command(*args)
    return pexpect.spawn(
        program, rest, cwd=str(user.work), env=user.environment, timeout=TIMEOUT_S, dimensions=(24, 200)
    )


def test_a_password_opens_a_session_that_push_uses_and_logout_ends(up: Up, eve: Pinfold) -> None:
    said = sign_in(eve, up, PASSWORD, "--json")
    assert said.json == {
        "server": up.api_url,
        "organisation": "default",
        "user": EMAIL,
        "scopes": said.json["scopes"],
    }
    assert "files:write" in said.json["scopes"]
    token = token_of(eve)
    assert token not in said.out + said.err
    eve.write("a.txt", b"from a session")
    assert "pushed" in eve("push", "a.txt").out
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{up.api_url}/api/v1/me", headers=headers).status_code == 200
    assert eve("logout").out == "signed out\n"
    assert httpx.get(f"{up.api_url}/api/v1/me", headers=headers).status_code == 401
    assert eve("logout").out == "nobody was signed in\n"


def test_what_stands_in_the_way_of_signing_in_is_a_sentence(up: Up, eve: Pinfold) -> None:
    wrong = sign_in(eve, up, "a wrong password", code=91)
    assert "the password is wrong" in wrong.err
    assert "waits for a minute" in wrong.err
    assert "a wrong password" not in wrong.err
    assert "no member" in sign_in(eve, up, PASSWORD, "--org", "elsewhere", code=91).err
    assert "is empty" in sign_in(eve, up, "", code=2).err
    assert "no text" in eve("login", up.api_url, "--email", EMAIL, "--password-stdin", stdin=b"\xff\xfe\n", code=2).err
    for wrong_args in (["--password-stdin"], ["--org", "default"], ["--email", EMAIL, "--token-stdin"]):
        assert eve("login", up.api_url, *wrong_args, code=2).out == ""
    assert "--password-stdin" in eve("login", up.api_url, "--email", EMAIL, code=2).err  # nobody to ask
    assert not list(eve.home.rglob("login.json"))
    up.stop()
    assert "cannot be reached" in sign_in(eve, up, code=90).err


def test_who_tries_too_often_is_told_when_to_come_back(pinfold: Pinfold, eve: Pinfold) -> None:
    with Up(pinfold, anonymous_requests="2") as up:
        add_user(pinfold, EMAIL, PASSWORD)
        for _ in range(2):
            sign_in(eve, up, "a wrong password", code=91)
        refused = sign_in(eve, up, code=99)
        assert "come back in" in refused.err


def test_an_account_that_is_locked_out_opens_again_as_the_hint_says(pinfold: Pinfold, up: Up, eve: Pinfold) -> None:
    body = {"email": EMAIL, "password": "wrong"}
    for _ in range(10):
        assert httpx.post(f"{up.api_url}/api/v1/sessions", json=body, timeout=TIMEOUT_S).status_code == 401
    locked = sign_in(eve, up, code=91)  # though this is the right one
    assert "too many were tried" in locked.err
    assert "pinfold user enable" in locked.err
    pinfold("user", "enable", EMAIL)
    sign_in(eve, up)


def test_a_session_that_cannot_be_ended_is_forgotten_all_the_same(up: Up, eve: Pinfold) -> None:
    sign_in(eve, up)
    up.stop()
    out = eve("logout")
    assert out.out == "signed out\n"
    assert "is not ended on the server" in out.err
    assert not list(eve.home.rglob("login.json"))


def test_the_invited_join_from_the_terminal_and_are_signed_in(pinfold: Pinfold, up: Up, eve: Pinfold) -> None:
    invitation = invite(pinfold, "new@example.org")
    joining = f"{invitation}\na password of their own\n".encode()
    said = eve("join", up.api_url, "--name", "Newcomer", "--stdin", "--json", stdin=joining)
    assert (said.json["user"], said.json["organisation"]) == ("new@example.org", "default")
    assert eve("whoami", "--json").json == said.json
    assert "files:write" not in said.json["scopes"]
    used = eve("join", up.api_url, "--name", "Newcomer", "--stdin", stdin=joining, code=91)
    assert "was used" in used.err
    assert invitation not in used.err
    assert "password is empty" in eve("join", up.api_url, "--name", "N", "--stdin", stdin=b"pfi_x\n", code=2).err
    assert "no terminal" in eve("join", up.api_url, "--name", "N", code=2).err
    short = f"{invite(pinfold, 'other@example.org')}\nshort\n".encode()
    assert eve("join", up.api_url, "--name", "N", "--stdin", stdin=short, code=None).code not in (0, 1, 70)


def test_who_has_a_password_already_joins_another_organisation_with_it(pinfold: Pinfold, up: Up, eve: Pinfold) -> None:
    pinfold("org", "create", "Acme")
    invitation = pinfold("user", "invite", EMAIL, "--org", "acme").out.strip()
    refused = f"{invitation}\nanother password\n".encode()
    assert "password is wrong" in eve("join", up.api_url, "--name", "E", "--stdin", stdin=refused, code=91).err
    said = eve("join", up.api_url, "--stdin", stdin=f"{invitation}\n{PASSWORD}\n".encode())  # they have a name
    assert "organisation Acme" in said.out
    assert sign_in(eve, up, PASSWORD, "--org", "default", "--json").json["organisation"] == "default"


def test_on_a_terminal_secrets_are_asked_for_and_not_shown(pinfold: Pinfold, up: Up, eve: Pinfold) -> None:
    child = terminal(eve, "login", up.api_url, "--email", EMAIL)
    child.expect_exact("Password: ")
    child.sendline(PASSWORD)
    child.expect_exact("signed in to")
    child.expect(pexpect.EOF)
    assert PASSWORD.encode() not in (child.before or b"")
    child.close()
    assert child.exitstatus == 0

    invitation = invite(pinfold, "new@example.org")
    child = terminal(eve, "join", up.api_url)
    shown = b""
    for prompt, typed in (
        ("Invitation: ", invitation),
        ("Your name", "Newcomer"),
        ("you have on this server): ", "a password of their own"),
        ("Once more: ", "not the same"),
        ("not the same; once again.", ""),  # nothing but the password is asked again
        ("you have on this server): ", "a password of their own"),
        ("Once more: ", "a password of their own"),
    ):
        child.expect_exact(prompt)
        shown += child.before or b""
        if typed:
            child.sendline(typed)
    child.expect(pexpect.EOF)
    shown += child.before or b""
    child.close()
    assert child.exitstatus == 0, shown
    assert b"pfi_" not in shown
    assert b"a password" not in shown
    assert eve("whoami", "--json").json["user"] == "new@example.org"

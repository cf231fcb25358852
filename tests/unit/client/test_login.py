"""Logins: who wins, where they lie, who may read them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pinfold.client.login import Login, current, forget, keep, server_url
from pinfold.core.errors import InvalidInput, InvalidSetting, Unauthorised

KEPT = Login("https://pin.example.org", "pf_kept")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("PINFOLD_SERVER", raising=False)
    monkeypatch.delenv("PINFOLD_TOKEN", raising=False)
    return tmp_path


def test_what_was_kept_is_used_until_it_is_forgotten() -> None:
    with pytest.raises(Unauthorised, match="no server"):
        current()
    path = keep(KEPT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]
    assert current() == KEPT
    keep(Login("http://localhost:3000", "pf_other"))
    assert current().token == "pf_other"
    assert forget()
    assert not forget()


def test_the_environment_wins_as_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(KEPT)
    monkeypatch.setenv("PINFOLD_SERVER", "http://127.0.0.1:3000/")
    monkeypatch.setenv("PINFOLD_TOKEN", "pf_given")
    assert current() == Login("http://127.0.0.1:3000", "pf_given")


def test_a_token_is_never_sent_to_a_server_that_it_was_not_given_for(monkeypatch: pytest.MonkeyPatch) -> None:
    keep(KEPT)
    monkeypatch.setenv("PINFOLD_SERVER", "https://elsewhere.example.org")
    with pytest.raises(Unauthorised, match="PINFOLD_TOKEN is not"):
        current()
    monkeypatch.setenv("PINFOLD_SERVER", KEPT.server)
    assert current() == KEPT
    monkeypatch.delenv("PINFOLD_SERVER")
    monkeypatch.setenv("PINFOLD_TOKEN", "pf_given")
    with pytest.raises(Unauthorised, match="PINFOLD_SERVER is not"):
        current()


def test_a_damaged_file_is_said_and_not_used() -> None:
    path = keep(KEPT)
    for text in ("", "[]", '{"server": "x"}'):
        path.write_text(text)
        with pytest.raises(InvalidSetting, match="holds no login"):
            current()


def test_the_token_is_not_shown() -> None:
    assert "pf_kept" not in repr(KEPT)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://pin.example.org/", "https://pin.example.org"),
        ("pin.example.org", "https://pin.example.org"),
        ("localhost:3000", "http://localhost:3000"),
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("http://127.0.0.1:3000/api/v1/", "http://127.0.0.1:3000"),
    ],
)
def test_a_url_is_kept_whole(given: str, kept: str) -> None:
    assert server_url(given) == kept


@pytest.mark.parametrize(
    "given", ["", "ftp://x", "http://", "https://u:p@x", "https://x?a=1", "https://x#a", "http://x:99999", "://x"]
)
def test_what_is_no_url_of_a_server_is_refused(given: str) -> None:
    with pytest.raises(InvalidInput):
        server_url(given)

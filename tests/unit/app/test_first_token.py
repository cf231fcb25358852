"""The first token: on a terminal or in a file, never lost, and never good twice."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from pinfold.app.first_token import FILE_NAME, FirstToken, make_first_token
from pinfold.core.errors import StoreUnreadable
from pinfold.db import Database
from pinfold.services.accounts import AccountsService, Scope


def inside(folder: Path, work: Callable[[Database, AccountsService], Awaitable[None]]) -> None:
    async def go() -> None:
        database = Database(f"sqlite:///{folder / 'platform.sqlite3'}")
        accounts = AccountsService(database)
        await work(database, accounts)
        await accounts.close()
        database.close()

    asyncio.run(go())


def test_without_a_terminal_it_is_in_a_file_of_this_user_alone(tmp_path: Path) -> None:
    async def work(_: Database, accounts: AccountsService) -> None:
        made = await make_first_token(accounts, tmp_path, on_terminal=False)
        path = tmp_path / FILE_NAME
        assert made == FirstToken(file=path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (await accounts.authenticate(path.read_text().strip())).scopes == frozenset(Scope)
        assert await make_first_token(accounts, tmp_path, on_terminal=False) == FirstToken()
        assert await make_first_token(accounts, tmp_path, on_terminal=True) == FirstToken()

    inside(tmp_path, work)


def test_on_a_terminal_it_is_in_no_file(tmp_path: Path) -> None:
    async def work(_: Database, accounts: AccountsService) -> None:
        made = await make_first_token(accounts, tmp_path, on_terminal=True)
        assert made.shown is not None and made.file is None
        assert not list(tmp_path.glob("*first-token*"))
        await accounts.authenticate(made.shown)

    inside(tmp_path, work)


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_start_that_is_killed_before_the_token_is_good_burns_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_terminal: bool
) -> None:
    async def work(_: Database, accounts: AccountsService) -> None:
        async def killed(self: AccountsService, token: str | None = None) -> str | None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(AccountsService, "make_owner_token", killed)
            with pytest.raises(KeyboardInterrupt):
                await make_first_token(accounts, tmp_path, on_terminal=False)
        kept = (tmp_path / FILE_NAME).read_text().strip()
        made = await make_first_token(accounts, tmp_path, on_terminal=on_terminal)
        assert made == FirstToken(shown=kept if on_terminal else None, file=tmp_path / FILE_NAME)
        await accounts.authenticate(kept)

    inside(tmp_path, work)


def test_processes_that_start_at_once_make_one_token_and_the_file_has_it(tmp_path: Path) -> None:
    async def work(database: Database, accounts: AccountsService) -> None:
        others = [AccountsService(database) for _ in range(4)]
        await asyncio.gather(*(make_first_token(one, tmp_path, on_terminal=False) for one in others))
        await accounts.authenticate((tmp_path / FILE_NAME).read_text().strip())
        for one in others:
            await one.close()

    inside(tmp_path, work)


@pytest.mark.parametrize("fault", ["readable by others", "a link", "no token"])
def test_a_file_that_somebody_else_may_have_put_there_makes_no_token(tmp_path: Path, fault: str) -> None:
    path, planted = tmp_path / FILE_NAME, "pf_" + "x" * 43
    target = tmp_path / "elsewhere" if fault == "a link" else path
    target.write_text("pf_" if fault == "no token" else planted)
    target.chmod(0o644 if fault == "readable by others" else 0o600)
    if fault == "a link":
        path.symlink_to(target)

    async def work(_: Database, accounts: AccountsService) -> None:
        with pytest.raises(StoreUnreadable, match="first-token"):
            await make_first_token(accounts, tmp_path, on_terminal=False)
        assert await accounts.is_unclaimed()

    inside(tmp_path, work)

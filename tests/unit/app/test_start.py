from __future__ import annotations

from pathlib import Path

import pytest

from pinfold.app.banner import banner, reachable
from pinfold.app.only_one import only_one
from pinfold.core.errors import StoreInUse, StoreUnreadable
from pinfold.settings import load
from pinfold.settings.values import Address

API, GATEWAY = Address("127.0.0.1", 3000), Address("::", 8080)


def test_the_token_is_shown_once_and_the_command_is_whole(tmp_path: Path) -> None:
    first = banner(load({"data_dir": tmp_path}), api=API, gateway=GATEWAY, token="pf_secret")
    assert "    pf_secret\n" in first
    assert "http://127.0.0.1:3000/api/v1/files/upload" in first
    again = banner(load({"data_dir": tmp_path}), api=API, gateway=GATEWAY, token=None)
    assert "secret" not in again
    assert "export TOKEN=" in again


def test_addresses_that_mean_every_one_are_shown_as_one_that_can_be_called() -> None:
    assert str(reachable(Address("0.0.0.0", 1))) == "127.0.0.1:1"
    assert str(reachable(GATEWAY)) == "[::1]:8080"
    assert reachable(API) == API


def test_a_data_folder_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with only_one(tmp_path):
            with pytest.raises(StoreInUse, match="already"):
                with only_one(tmp_path):
                    pass


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnreadable):
        with only_one(tmp_path / "file"):
            pass

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pinfold.app import hold
from pinfold.app.banner import banner, reachable
from pinfold.app.doors import Door, doors
from pinfold.app.roles import EVERY_ROLE, Role
from pinfold.core.errors import InvalidSetting, StoreInUse, StoreUnreadable
from pinfold.settings import load
from pinfold.settings.values import Address

API, GATEWAY = Address("127.0.0.1", 3000), Address("::", 8080)


EVERYTHING = {Door.API: API, Door.GATEWAY: GATEWAY}


def test_the_token_is_shown_once_and_the_command_is_whole(tmp_path: Path) -> None:
    first = banner(load({"data_dir": tmp_path}), EVERY_ROLE, EVERYTHING, token="pf_secret")
    assert "    pf_secret\n" in first
    assert "http://127.0.0.1:3000/api/v1/files/upload" in first
    kept = banner(load({"data_dir": tmp_path}), EVERY_ROLE, EVERYTHING, token_file=tmp_path / "first token")
    assert f"""export TOKEN="$(cat '{tmp_path}/first token')\"""" in kept
    again = banner(load({"data_dir": tmp_path}), EVERY_ROLE, EVERYTHING, token=None)
    assert "secret" not in again
    assert "export TOKEN=" in again


def test_a_role_alone_shows_its_own_address_only(tmp_path: Path) -> None:
    settings = load({"data_dir": tmp_path})
    gateway = banner(settings, frozenset({Role.GATEWAY}), {Door.GATEWAY: GATEWAY}, token=None)
    assert "Pinfold's gateway" in gateway
    assert "http://[::1]:8080" in gateway
    assert "TOKEN" not in gateway
    worker = banner(settings, frozenset({Role.WORKER}), {}, token=None)
    assert "http://" not in worker
    assert "sources" in worker and "sources" not in gateway
    told = banner(settings, frozenset({Role.WORKER}), {Door.STATUS: Address("127.0.0.1", 3010)}, token=None)
    assert "status   http://127.0.0.1:3010 " in told


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "fetched by https://delegated-ipfs.dev, https://cid.contact (PINFOLD_FETCH_ROUTERS)"),
        ({"fetch_routers": "off"}, "none for pins by CID, apart from their origins: set PINFOLD_FETCH_ROUTERS"),
        (
            {"fetch_routers": "off", "fetch_from": "https://me:{password}@g.example"},
            "https://g.example (PINFOLD_FETCH_FROM)",
        ),
    ],
)
def test_the_start_says_where_pins_by_cid_are_fetched_from(tmp_path: Path, given: dict[str, str], said: str) -> None:
    given = {name: value.format(password="secret") for name, value in given.items()}
    line = next(
        line
        for line in banner(load({"data_dir": tmp_path, **given}), EVERY_ROLE, EVERYTHING).splitlines()
        if line.startswith("  sources ")
    )
    assert said in line and "secret" not in line


def test_a_process_opens_the_doors_of_its_roles_and_its_own_only_where_it_is_set(tmp_path: Path) -> None:
    plain = load({"data_dir": tmp_path})
    assert list(doors(plain, EVERY_ROLE)) == [Door.GATEWAY, Door.API]
    assert doors(plain, frozenset({Role.WORKER})) == {}
    told = load({"data_dir": tmp_path, "status_address": "[::1]:3010"})
    assert doors(told, frozenset({Role.WORKER})) == {Door.STATUS: Address("::1", 3010)}
    assert list(doors(told, frozenset({Role.GATEWAY}))) == [Door.GATEWAY, Door.STATUS]


def test_two_doors_at_one_address_are_refused_before_anything_is_opened(tmp_path: Path) -> None:
    settings = load({"data_dir": tmp_path, "status_address": "127.0.0.1:8080"})
    with pytest.raises(InvalidSetting, match="gateway_address and status_address are both"):
        doors(settings, frozenset({Role.GATEWAY}))
    assert doors(settings, frozenset({Role.WORKER}))  # has no other door
    free = load({"data_dir": tmp_path, "status_address": "127.0.0.1:0", "gateway_address": "127.0.0.1:0"})
    assert len(doors(free, frozenset({Role.GATEWAY}))) == 2  # each takes a free one


def test_addresses_that_mean_every_one_are_shown_as_one_that_can_be_called() -> None:
    assert str(reachable(Address("0.0.0.0", 1))) == "127.0.0.1:1"
    assert str(reachable(GATEWAY)) == "[::1]:8080"
    assert reachable(API) == API


def test_a_server_that_listens_everywhere_does_not_name_this_machine_alone(tmp_path: Path) -> None:
    told = banner(load({"data_dir": tmp_path}), EVERY_ROLE, {Door.API: Address("0.0.0.0", 3000), Door.GATEWAY: API})
    assert "http://127.0.0.1:3000   (described at /docs; on every address of this machine: 0.0.0.0:3000)" in told
    assert told.count("every address") == 1


def test_a_data_folder_is_held_by_one_and_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with hold.alone(tmp_path):
            with pytest.raises(StoreInUse, match=r"`pinfold up` runs on .* already"):
                with hold.alone(tmp_path):
                    pass
            with pytest.raises(StoreInUse, match=r"`pinfold up` runs on .* already"):
                with hold.beside_others(tmp_path):
                    pass


def test_roles_share_a_data_folder_and_keep_up_out_until_the_last_has_gone(tmp_path: Path) -> None:
    with hold.beside_others(tmp_path) as second_to_come:
        assert second_to_come.is_first
        second_to_come.share()
        with hold.beside_others(tmp_path) as beside:
            assert not beside.is_first
            with pytest.raises(StoreInUse, match="`worker`"):
                with hold.alone(tmp_path):
                    pass
    with hold.alone(tmp_path) as alone:
        assert alone.is_first


def test_whoever_comes_second_waits_until_the_first_has_put_things_right(tmp_path: Path) -> None:
    came = threading.Event()

    def second() -> None:
        with hold.beside_others(tmp_path) as beside:
            assert not beside.is_first
            came.set()

    with hold.beside_others(tmp_path) as first:
        thread = threading.Thread(target=second)
        thread.start()
        assert not came.wait(0.1)
        first.share()
        assert came.wait(10)
        thread.join()


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for take in (hold.alone, hold.beside_others):
        with pytest.raises(StoreUnreadable):
            with take(tmp_path / "file"):
                pass

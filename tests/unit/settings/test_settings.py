from __future__ import annotations

from pathlib import Path

import pytest

from pinfold.core.errors import InvalidSetting
from pinfold.settings import Settings, load, unknown_in_environment
from pinfold.settings.values import Address


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"PINFOLD_{name.upper()}", raising=False)
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path))


def test_defaults_are_loopback_and_a_database_in_the_data_folder(tmp_path: Path) -> None:
    settings = load()
    assert settings.gateway_bind == Address("127.0.0.1", 8080)
    assert settings.api_bind == Address("127.0.0.1", 3000)
    assert settings.data_dir == tmp_path
    assert settings.effective_database_url == f"sqlite:///{tmp_path}/platform.sqlite3"
    assert settings.max_upload_bytes == 100 * 1024 * 1024


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pinfold.toml").write_text(
        'api_address = "127.0.0.1:1"\ngateway_address = "127.0.0.1:1"\nlog_level = "debug"\nworker_concurrency = 7\n'
    )
    monkeypatch.setenv("PINFOLD_API_ADDRESS", "127.0.0.1:2")
    monkeypatch.setenv("PINFOLD_GATEWAY_ADDRESS", "127.0.0.1:2")
    settings = load({"api_address": "127.0.0.1:3", "log_format": None})
    assert settings.api_address == "127.0.0.1:3"
    assert settings.gateway_address == "127.0.0.1:2"
    assert settings.log_level == "debug"
    assert settings.worker_concurrency == 7
    assert settings.log_format == "auto"


def test_the_file_lies_in_the_data_folder_that_a_flag_names(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "pinfold.toml").write_text("worker_concurrency = 9\n")
    assert load({"data_dir": other}).worker_concurrency == 9


@pytest.mark.parametrize(
    ("text", "size"), [("1024", 1024), ("100MiB", 100 << 20), ("1.5 KiB", 1536), ("2gb", 2 * 10**9), ("0b7", None)]
)
def test_sizes_are_read_as_people_write_them(text: str, size: int | None) -> None:
    if size is None:
        with pytest.raises(InvalidSetting, match="max_upload_bytes"):
            load({"max_upload_bytes": text})
    else:
        assert load({"max_upload_bytes": text}).max_upload_bytes == size


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        ("localhost:65535", Address("localhost", 65535)),
    ],
)
def test_addresses_of_every_kind_are_read_and_written_back(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["", "8080", ":8080", "host", "host:", "host:65536", "::1:8080", "host:-1", "host:٣"])
def test_a_text_that_is_no_address_is_refused_by_the_setting_s_name(text: str) -> None:
    with pytest.raises(InvalidSetting, match="gateway_address"):
        load({"gateway_address": text})


def test_a_bad_value_says_where_it_was_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidSetting, match="--worker-concurrency"):
        load({"worker_concurrency": 0})
    monkeypatch.setenv("PINFOLD_LOG_LEVEL", "loud")
    with pytest.raises(InvalidSetting, match="PINFOLD_LOG_LEVEL"):
        load()
    monkeypatch.delenv("PINFOLD_LOG_LEVEL")
    (tmp_path / "pinfold.toml").write_text("log_level = 3\n")
    with pytest.raises(InvalidSetting, match=r"pinfold\.toml"):
        load()


@pytest.mark.parametrize("text", ["no_such_setting = 1\n", "this is no toml", 'data_dir = "/elsewhere"\n'])
def test_a_file_with_what_nobody_knows_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pinfold.toml").write_text(text)
    with pytest.raises(InvalidSetting, match=r"pinfold\.toml"):
        load()


def test_the_database_s_password_is_not_in_the_repr() -> None:
    assert "hush" not in repr(load({"database_url": "postgresql://me:hush@db/pinfold"}))


def test_a_whole_request_may_be_a_form_s_lines_larger_than_its_file() -> None:
    assert load({"max_upload_bytes": 10}).effective_max_request_bytes == 10 + 1024 * 1024
    assert load({"max_upload_bytes": 10, "max_request_bytes": 99}).effective_max_request_bytes == 99


def test_variables_that_look_like_settings_and_are_none_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINFOLD_API_ADRESS", "127.0.0.1:1")
    monkeypatch.setenv("PINFOLD_API_ADDRESS", "127.0.0.1:1")
    monkeypatch.setenv("PINFOLD_DEBUG", "1")
    assert "PINFOLD_API_ADRESS" in unknown_in_environment()
    assert not {"PINFOLD_API_ADDRESS", "PINFOLD_DEBUG"} & set(unknown_in_environment())


@pytest.mark.parametrize(
    "url",
    [
        "http://reader:{password}@gateway.test/?a=b",
        "ftp://reader:{password}@gateway.test",
        "http://reader:{password}#x@gateway.test",
        "http://reader:{password}/x@gateway.test:port",
        "reader:{password}@gateway.test",
        "http://reader:12 {password}@gateway.test:x",
    ],
)
@pytest.mark.parametrize("name", ["fetch_from", "fetch_routers"])
def test_a_password_in_a_url_that_is_refused_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv("PINFOLD_DATA_DIR", str(tmp_path))
    monkeypatch.setenv(f"PINFOLD_{name.upper()}", url.format(password="hunter2"))
    with pytest.raises(InvalidSetting, match=name) as refused:
        load()
    assert "hunter2" not in str(refused.value)


def test_pins_by_cid_have_public_routers_by_default_and_none_when_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load({}).fetch_routers == ("https://delegated-ipfs.dev", "https://cid.contact")
    monkeypatch.setenv("PINFOLD_FETCH_ROUTERS", "off")
    assert load({}).fetch_routers == ()
    monkeypatch.setenv("PINFOLD_FETCH_ROUTERS", "http://one.example http://two.example")
    assert load({}).fetch_routers == ("http://one.example", "http://two.example")
    monkeypatch.setenv("PINFOLD_FETCH_ROUTERS", "off,http://one.example")
    with pytest.raises(InvalidSetting, match="PINFOLD_FETCH_ROUTERS"):
        load({})

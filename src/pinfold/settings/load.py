"""Settings from all their sources, or one sentence about the first that cannot be used."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from pinfold.core.errors import InvalidSetting
from pinfold.node.node import default_data_dir
from pinfold.settings.model import ENV_PREFIX, FILE_NAME, Settings

_OTHER_VARIABLES: Final = frozenset(
    {
        "PINFOLD_DEBUG",
        "PINFOLD_SERVER",
        "PINFOLD_TOKEN",
        "PINFOLD_REQUIRE_ENGINES",
    }  # the command line's, and the tests'
)


def load(flags: Mapping[str, object] | None = None) -> Settings:
    """The settings of this process; entries of ``flags`` that are None were not given.

    Raises:  InvalidSetting, which names the setting and where it was set.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    chosen = given.get("data_dir") or os.environ.get(f"{ENV_PREFIX}DATA_DIR") or default_data_dir()
    data_dir = Path(str(chosen)).expanduser()
    in_file = _read_file(data_dir / FILE_NAME)
    in_environment = {name for name in Settings.model_fields if os.environ.get(ENV_PREFIX + name.upper())}
    from_file = {name: value for name, value in in_file.items() if name not in in_environment}
    values: dict[str, Any] = {**from_file, **given, "data_dir": data_dir}
    try:
        return Settings(**values)
    except ValidationError as exc:
        raise _sentence(exc, set(given), in_environment, data_dir) from None
    except SettingsError as exc:
        raise InvalidSetting(str(exc)) from exc


def unknown_in_environment() -> list[str]:
    """Variables that begin as settings do and are none: most likely misspelt."""
    known = {ENV_PREFIX + name.upper() for name in Settings.model_fields} | _OTHER_VARIABLES
    return sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise InvalidSetting(f"{path} cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InvalidSetting(f"{path} is no TOML: {exc}") from exc
    if "data_dir" in values:
        raise InvalidSetting(f"data_dir cannot be set in {path}, which lies in it; use --data-dir or PINFOLD_DATA_DIR")
    return values


def _sentence(exc: ValidationError, flags: set[str], environment: set[str], data_dir: Path) -> InvalidSetting:
    error = exc.errors()[0]
    name = str(error["loc"][0]) if error["loc"] else "?"
    if name in flags:
        where = f"--{name.replace('_', '-')}"
    elif name in environment:
        where = ENV_PREFIX + name.upper()
    else:
        where = str(data_dir / FILE_NAME)
    if error["type"] == "extra_forbidden":
        return InvalidSetting(f"there is no setting {name!r} (in {where})")
    reason = error["msg"].removeprefix("Value error, ")
    field = Settings.model_fields.get(name)
    given = repr(error["input"]) if field is None or field.repr else "what it is"  # that may hold a password
    return InvalidSetting(f"setting {name} (from {where}) cannot be {given}: {reason}")

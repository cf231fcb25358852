"""What help says of a setting's default is the default."""

from __future__ import annotations

import re
from typing import Final

import pytest
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from pinfold.cli import groups, table
from pinfold.settings import Settings

_SAID: Final = re.compile(r"Default: (.+?)\.(?:\s|$)")


def _options_of_settings() -> list[tuple[str, str, str]]:
    """Command, setting and default as it is said, for each option that stands for a setting and says a default."""
    leaves = [words for words in sorted(table.COMMANDS) if not table.is_group(words)]
    options = [(words, option) for words in leaves for option in groups.load(words).params]
    said = [(words, option.name, _SAID.search(getattr(option, "help", None) or "")) for words, option in options]
    return [(words, name, found[1]) for words, name, found in said if found and name in Settings.model_fields]


def _has_a_value(field: FieldInfo) -> bool:
    """Whether the default stands for itself; an empty one stands for what help describes in words."""
    return field.default_factory is None and field.default != ""


VALUES = [row for row in _options_of_settings() if _has_a_value(Settings.model_fields[row[1]])]


@pytest.mark.parametrize(("words", "name", "said"), VALUES)
def test_the_default_that_help_names_is_the_setting_s(words: str, name: str, said: str) -> None:
    setting = Settings.model_fields[name]
    assert _read(setting, said) == setting.default


def test_every_role_s_options_are_among_those_compared() -> None:
    assert {words for words, _, _ in VALUES} >= {"up", "api", "gateway", "worker"}
    assert {name for _, name, _ in VALUES} >= {"worker_concurrency", "max_upload_bytes", "api_address", "log_level"}


def _read(field: FieldInfo, text: str) -> object:
    """The value that a text in the environment would give this setting."""
    return TypeAdapter(field.rebuild_annotation()).validate_python(text)

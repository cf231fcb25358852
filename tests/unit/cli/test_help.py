"""Help is complete, cheap and the same everywhere."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from pinfold.cli import commands, table
from pinfold.db import Database
from tests.unit.cli.conftest import Run

ALL = sorted(table.COMMANDS)
LEAVES = [words for words in ALL if not table.is_group(words)]


@pytest.mark.parametrize("words", ALL)
def test_every_command_shows_an_example_of_itself(run: Run, words: str) -> None:
    result = run(*words.split(), "--help")
    assert result.code == 0
    assert f"Usage: pinfold {words}" in result.out
    assert table.COMMANDS[words].line.split("(")[0].strip()[:40] in result.out
    example = result.out.partition("Example:\n")[2].partition("\n\n")[0]
    assert f"pinfold {words}" in example


@pytest.mark.parametrize("words", LEAVES)
def test_the_table_says_what_the_docstring_says(words: str) -> None:
    function = import_module(f"pinfold.cli.commands.{table.COMMANDS[words].module}").command
    assert inspect.cleandoc(function.__doc__).splitlines()[0] == table.COMMANDS[words].line


@pytest.mark.parametrize("words", LEAVES)
def test_json_fields_are_documented_where_there_is_json(words: str) -> None:
    function = import_module(f"pinfold.cli.commands.{table.COMMANDS[words].module}").command
    has_json = "as_json" in inspect.signature(function).parameters
    assert has_json == ("--json prints {" in " ".join((function.__doc__ or "").split()))


def test_every_command_module_is_in_the_table() -> None:
    modules = {path.stem for path in Path(next(iter(commands.__path__))).glob("*.py")} - {"__init__"}
    assert modules == {row.module for row in table.COMMANDS.values() if row.module}


def test_the_top_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys; from pinfold.cli.main import main; main(['--help']);"
        "print([name for name in sys.modules if name.startswith(('pinfold.cli.commands', 'pinfold.node', 'rich'))])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for word in table.below(""):
        assert f"\n  {word} " in out
    assert out.splitlines()[-1] == "[]"


def test_adding_needs_nothing_that_is_slow_to_load() -> None:
    code = (
        "import sys; from pinfold.cli import groups; groups.load('add').make_context('add', ['-s', 'rabin', 'x']);"
        "slow = ('rich', 'pydantic', 'fastapi', 'sqlalchemy', 'numpy', 'httpx');"
        "print([name for name in sys.modules if name.split('.')[0] in slow])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "[]\n"


def test_the_administrator_s_commands_load_no_http_no_redis_and_nothing_that_migrates(tmp_path: Path) -> None:
    Database(f"sqlite:///{tmp_path / 'platform.sqlite3'}").close()
    code = (
        f"import sys; from pinfold.cli.main import main; code = main(['org', 'list', '--data-dir', {str(tmp_path)!r}]);"
        "slow = ('alembic', 'psycopg', 'redis', 'limits', 'httpx', 'email_validator', 'fastapi', 'PIL');"
        "print(code, [name for name in sys.modules if name in slow])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n", done.stderr


@pytest.mark.parametrize("args", [("--version",), ("--version", "repo")])
def test_the_version_is_printed(run: Run, args: tuple[str, ...]) -> None:
    from pinfold import __version__

    assert run(*args).out == f"pinfold {__version__}\n"


def test_a_group_alone_shows_its_help(run: Run) -> None:
    result = run("pin")
    assert result.code == 2
    assert "Commands:" in result.err + result.out

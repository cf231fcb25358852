"""Every way to end has a number, and a document that lists it."""

from __future__ import annotations

import pytest

from pinfold.cli import exit_codes
from pinfold.core import errors
from pinfold.core.errors import PinfoldError
from tests.unit.cli.conftest import Run


def all_errors(kind: type[PinfoldError] = PinfoldError) -> list[type[PinfoldError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in all_errors(child))]


def test_every_error_class_has_an_exit_code() -> None:
    declared = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, PinfoldError)}
    assert set(exit_codes.ERROR_CODES) == declared == {cls for cls in all_errors() if cls.__module__ == errors.__name__}


def test_no_two_classes_share_a_code_and_none_is_taken_by_shells_or_the_program() -> None:
    codes = [code for cls, code in exit_codes.ERROR_CODES.items() if cls is not PinfoldError]
    assert len(codes) == len(set(codes))
    assert not set(codes) & set(exit_codes.PROGRAM_CODES)
    assert all(3 <= code <= 125 for code in codes)


@pytest.mark.parametrize("kind", exit_codes.ERROR_CODES)
def test_an_error_ends_with_its_code_and_its_sentence(run: Run, kind: type[PinfoldError]) -> None:
    result = run("repo", "stat", repo_stat=kind("it went wrong", hint="try this"))
    assert result.code == exit_codes.ERROR_CODES[kind]
    assert result.err == "Error: it went wrong\nHint: try this\n"
    assert result.out == ""


def test_with_json_an_error_is_one_json_object(run: Run) -> None:
    result = run("repo", "stat", "--json", repo_stat=errors.StoreFull("no room", hint=""))
    assert result.err == '{"error": "no room", "code": "STORE_FULL", "hint": ""}\n'


def test_an_error_without_a_hint_prints_one_line(run: Run) -> None:
    assert run("repo", "stat", repo_stat=errors.PathNotFound("no x")).err == "Error: no x\n"


def test_a_usage_error_is_2_and_says_how_to_get_help(run: Run) -> None:
    result = run("pin", "rm")
    assert result.code == exit_codes.USAGE
    assert "Missing argument 'PATH'" in result.err and "pinfold pin rm -h" in result.err


def test_a_usage_error_in_json(run: Run) -> None:
    result = run("repo", "stat", "--json", "--nonsense")
    assert result.code == exit_codes.USAGE
    assert result.err.startswith('{"error": "No such option: --nonsense') and '"code": "USAGE"' in result.err


def test_a_mistyped_command_gets_a_suggestion(run: Run) -> None:
    result = run("pni", "ls")
    assert result.code == exit_codes.USAGE
    assert "Did you mean 'pin'" in result.err


def test_a_bug_is_70_and_says_how_to_see_more(run: Run) -> None:
    result = run("repo", "stat", repo_stat=ZeroDivisionError("division by zero"))
    assert result.code == exit_codes.BUG
    assert "unexpected ZeroDivisionError" in result.err and "PINFOLD_DEBUG=1" in result.err
    assert "Traceback" not in result.err


def test_a_bug_shows_its_traceback_when_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINFOLD_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run("repo", "stat", repo_stat=ZeroDivisionError())


def test_ctrl_c_is_130_with_one_line(run: Run) -> None:
    result = run("repo", "stat", repo_stat=KeyboardInterrupt())
    assert result.code == exit_codes.INTERRUPTED
    assert result.err.count("\n") == 1


def test_a_reader_that_went_away_ends_quietly(run: Run) -> None:
    result = run("repo", "stat", repo_stat=BrokenPipeError())
    assert (result.code, result.err) == (exit_codes.BROKEN_PIPE, "")


def test_the_systems_own_errors_are_a_sentence(run: Run) -> None:
    result = run("repo", "stat", repo_stat=PermissionError(13, "Permission denied", "/some/where"))
    assert (result.code, result.err) == (exit_codes.FAILED, "Error: /some/where: Permission denied\n")

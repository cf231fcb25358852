from __future__ import annotations

import errno

import pytest

from pinfold.core import errors
from pinfold.core.public_errors import of_system, public

SECRET = "/srv/pinfold/data"


@pytest.mark.parametrize(
    "kind",
    [
        errors.StoreFull,
        errors.StoreError,
        errors.StoreUnreadable,
        errors.CatalogueLost,
        errors.SystemUnavailable,
        errors.DatabaseDamaged,
        errors.StoreCorrupt,
        errors.SourceUnreadable,
        errors.SourceNotFound,
        errors.InvalidSetting,
    ],
)
def test_clients_read_nothing_of_folders_and_commands(kind: type[errors.PinfoldError]) -> None:
    sentence, hint = public(kind(f"no space left on the disk of {SECRET}"))
    assert SECRET not in sentence
    assert sentence
    for inside in ("--data-dir", "pinfold ", "sqlite3", "PINFOLD_"):
        assert inside not in hint


def test_an_error_of_the_caller_keeps_its_words() -> None:
    assert public(errors.InvalidCID("no CID: x")) == ("no CID: x", errors.InvalidCID.hint)
    assert public(errors.DatabaseUnavailable("nothing was changed"))[0] == "nothing was changed"


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EMFILE, errors.SystemUnavailable),
        (errno.ENFILE, errors.SystemUnavailable),
        (errno.EROFS, errors.SystemUnavailable),
        (errno.EACCES, errors.SystemUnavailable),
        (errno.ENOSPC, errors.StoreFull),
        (errno.EDQUOT, errors.StoreFull),
    ],
)
def test_what_the_system_refuses_is_no_mistake_of_the_program(number: int, kind: type[errors.PinfoldError]) -> None:
    found = of_system(OSError(number, "refused", SECRET))
    assert type(found) is kind
    assert SECRET in str(found)  # the log may name it


def test_other_errors_of_the_system_stay_what_they_are() -> None:
    assert of_system(ConnectionResetError(errno.ECONNRESET, "reset")) is None

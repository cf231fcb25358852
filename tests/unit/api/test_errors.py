from __future__ import annotations

import pytest

from pinfold.api.errors import STATUS
from pinfold.core import errors


def every_error() -> list[type[errors.PinfoldError]]:
    found = [errors.PinfoldError]
    for one in found:
        found.extend(one.__subclasses__())
    return sorted({one for one in found if one.__module__ == errors.__name__}, key=lambda one: one.__name__)


@pytest.mark.parametrize("error", every_error())
def test_every_error_has_a_status(error: type[errors.PinfoldError]) -> None:
    assert 400 <= STATUS[error] < 600


def test_no_status_is_given_to_what_does_not_exist() -> None:
    assert set(STATUS) == set(every_error())

"""What a client on the network may read of an error: nothing of this machine's files, folders and commands."""

from __future__ import annotations

import errno
from typing import Final

from pinfold.core import errors

_ASK: Final = "Ask whoever runs this server; its log has the details under the request's id."
_LATER: Final = "Try again later; if that does not help, ask whoever runs this server."

# What is here in place of an error's own words, for its class and those below it; all other errors say their own.
_IN_PUBLIC: Final[dict[type[errors.PinfoldError], tuple[str, str]]] = {
    errors.StoreFull: ("this server has no room left; nothing of the request was kept", _LATER),
    errors.DatabaseDamaged: ("this server's database is damaged", _ASK),
    errors.StoreCorrupt: ("what this server keeps is damaged", _ASK),
    errors.StoreError: ("this server cannot use its storage now", _LATER),
    errors.SourceUnreadable: ("this server cannot read what it needs", _ASK),
    errors.SourceNotFound: ("this server cannot read what it needs", _ASK),
    errors.InvalidSetting: ("this server is not set up well", _ASK),
}
_AS_THEY_ARE: Final = (errors.DatabaseUnavailable,)  # its words name nothing, and say whether a change was made

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_LACKING: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EROFS, errno.EACCES, errno.EPERM, errno.EAGAIN}
)


def public(exc: errors.PinfoldError) -> tuple[str, str]:
    """The sentence and the hint for a client."""
    if not isinstance(exc, _AS_THEY_ARE):
        for kind in type(exc).__mro__:
            if (found := _IN_PUBLIC.get(kind)) is not None:
                return found
    return str(exc), exc.hint


def of_system(exc: OSError) -> errors.PinfoldError | None:
    """The error for what the operating system refused for want of room, descriptors or rights; None for the rest."""
    words = f"{exc.strerror}: {exc.filename}" if exc.filename else str(exc.strerror)
    if exc.errno in _FULL:
        return errors.StoreFull(words)
    if exc.errno in _LACKING:
        return errors.SystemUnavailable(words)
    return None

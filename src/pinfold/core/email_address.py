"""E-mail addresses, in the one form under which they are compared."""

from __future__ import annotations

import re
from typing import Final

from pinfold.core.errors import InvalidInput

MAX_CHARACTERS: Final = 254  # RFC 5321, 4.5.3.1
_HOST: Final = re.compile(r"(?=.{1,190}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def normal_email(text: str) -> str:
    """The address in lower case; nobody is asked whether it exists.  Raises: InvalidInput."""
    from email_validator import EmailNotValidError, validate_email  # slow to load, and seldom needed

    local, _, domain = text.strip().lower().rpartition("@")
    # The validator refuses localhost, .local and .internal, where a server of one's own may well have its people.
    is_plain = _HOST.fullmatch(domain) is not None
    try:
        found = validate_email(f"{local}@{'example.org' if is_plain else domain}", check_deliverability=False)
    except EmailNotValidError as exc:
        raise InvalidInput(f"this is no e-mail address: {exc}") from exc
    normal = f"{found.local_part}@{domain if is_plain else found.domain}".lower()
    if len(normal) > MAX_CHARACTERS:
        raise InvalidInput(f"this is no e-mail address: it is over {MAX_CHARACTERS} characters")
    return normal

"""``openapi-python-client`` in a private environment, which generates a Python client from the API's description."""

from __future__ import annotations

import hashlib

from engines.from_pip import bring, environment_of
from engines.places import HERE

NAME = "client-generator"
PYTHON = environment_of(NAME) / "bin" / "python"
PROGRAM = environment_of(NAME) / "bin" / "openapi-python-client"
STAMP = environment_of(NAME) / ".installed"
WHERE_FROM = "no openapi-python-client here; run make engines"

ADVICE = "Let pip reach a package index that has openapi-python-client, then run make engines again."


def generator_is_here() -> bool:
    """Whether ``make engines`` has brought the generator, as locked now."""
    return PROGRAM.exists() and STAMP.exists() and STAMP.read_text() == _digest()


def get_client_generator() -> str:
    """Install the generator as locked and say where; Unavailable when pip cannot."""
    if generator_is_here():
        return f"openapi-python-client is at {PROGRAM}"
    bring(NAME)
    STAMP.write_text(_digest())
    return f"openapi-python-client was installed at {PROGRAM}"


def _digest() -> str:
    return hashlib.sha256((HERE / f"{NAME}.lock").read_bytes()).hexdigest()

"""Passwords: kept as Argon2id, compared in a thread, a few at a time."""

from __future__ import annotations

import asyncio
import base64
import os
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import ARGON2_VERSION

from pinfold.core.errors import InvalidInput

MIN_CHARACTERS: Final = 10
MAX_CHARACTERS: Final = 1024  # hashing more would be work for nothing

# OWASP's first choice of small memory; what one costs is bounded by the threads below.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def _of_nobody() -> str:
    """What takes as long to compare with as any hash, and no password is behind: making one up costs no time."""
    salt, digest = (
        base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (_HASHER.salt_len, _HASHER.hash_len)
    )
    costs = f"m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${costs}${salt}${digest}"


_DUMMY: Final = _of_nobody()


class Passwords:
    """Makes and compares hashes, two at a time, so that sign-ins cannot take all of the machine."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="password")

    async def hash(self, password: str) -> str:
        """What is kept of a password.  Raises: InvalidInput for one that is too short or too long."""
        if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
            raise InvalidInput(f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS:,} characters")
        return await asyncio.get_running_loop().run_in_executor(self._threads, _HASHER.hash, _normal(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether the password is the one; without a hash the answer is no, after as long a time."""
        right = await asyncio.get_running_loop().run_in_executor(
            self._threads, _verify, password_hash or _DUMMY, _normal(password[:MAX_CHARACTERS])
        )
        return right and password_hash is not None

    async def close(self) -> None:
        """Wait for the threads."""
        await asyncio.to_thread(self._threads.shutdown)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    # One keyboard writes é as one character, another as two; lone surrogates cannot be encoded at all.
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass").decode("utf-8", "replace")

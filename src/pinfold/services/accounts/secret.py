"""Secrets that are made here and shown once: tokens and invitations."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from pinfold.services.accounts.model import TOKEN_PREFIX

INVITATION_PREFIX: Final = "pfi_"
MAX_CHARACTERS: Final = 256  # longer ones are not ours and need not be hashed
SHOWN_CHARACTERS: Final = 8  # enough to know one again, far too few to guess the rest


def new_token() -> str:
    """A fresh token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_invitation() -> str:
    """The secret of a fresh invitation."""
    return INVITATION_PREFIX + secrets.token_urlsafe(32)


def hashed(secret: str) -> bytes:
    """What is kept of a secret."""
    # It has 256 random bits: a plain hash cannot be reversed by guessing, so no slow one is needed.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()

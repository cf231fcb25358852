"""Queries about tries of passwords: per account and address, so that nobody locks out another by wrong ones.

1. From one address some tries are free; each wrong one after them makes the address wait, twice as long as the last
   time.
2. Addresses from which the user has not signed in yet share one count of the account, which grows the same way: guesses
   from ever new addresses are bounded as well.
3. An address from which the user has signed in is not held back by that count: whose account it is has a way in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.orm import Session

from pinfold.core.client_network import client_network
from pinfold.db.dialect import for_update
from pinfold.db.models import SignInAddressRow, UserRow

MOST_FROM_ADDRESS: Final = 10
"""Wrong passwords in a row from one address, the last of which makes it wait."""
MOST_FROM_NEW: Final = 50
"""The same of all addresses together that the user has not signed in from: more than a person's typing errors."""
_FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(hours=1)  # 24 guesses a day find nothing, and a person can wait for it
REMEMBERED_FOR: Final = timedelta(days=1)
"""After so long without another one, wrong passwords are forgotten."""
KNOWN_FOR: Final = timedelta(days=90)
"""How long an address is one that the user has signed in from."""


@dataclass(frozen=True, slots=True)
class Try:
    """A try of a password for an account that is there; it is counted already."""

    user: UserRow
    is_allowed: bool
    """Otherwise the password is not looked at."""
    blocked_until: datetime | None
    """Until when the address waits, should the password be wrong."""


def begin(session: Session, email: str, address: str, now: datetime) -> Try | None:
    """The try, counted before the password is looked at; None where no active user has the e-mail address.

    So a thousand tries at once are a thousand tries; ``succeeded`` takes the count back for the one that was right.
    """
    user: UserRow | None = session.scalar(for_update(select(UserRow).where(UserRow.email == email)))
    if user is None or user.status != "active":
        return None
    row = session.get(SignInAddressRow, (user.id, client_network(address)))
    is_known = row is not None and row.signed_in_at is not None and row.signed_in_at > now - KNOWN_FOR
    until = [user.locked_until if not is_known else None, row.blocked_until if row is not None else None]
    waiting = [one for one in until if one is not None and one > now]
    if waiting:
        return Try(user, False, max(waiting))
    if row is None:
        row = _remember(session, user.id, address)
    if row.failed_at is not None and row.failed_at < now - REMEMBERED_FOR:
        row.failures = 0
    row.failures += 1
    row.failed_at = now
    row.blocked_until = _pause_from(row.failures - MOST_FROM_ADDRESS, now)
    if not is_known:
        session.flush()
        user.locked_until = _pause_from(_failures_from_new(session, user.id, now) - MOST_FROM_NEW, now)
    session.flush()
    blocked = [one for one in (row.blocked_until, None if is_known else user.locked_until) if one is not None]
    return Try(user, True, max(blocked, default=None))


def succeeded(session: Session, user_id: str, address: str, now: datetime) -> None:
    """Note that the password was right: the address is known from now on, and its wrong ones are forgotten."""
    user = session.get_one(UserRow, user_id)
    user.last_sign_in_at = now
    row = session.get(SignInAddressRow, (user_id, client_network(address))) or _remember(session, user_id, address)
    row.signed_in_at, row.failures, row.failed_at, row.blocked_until = now, 0, None, None
    session.flush()
    if _failures_from_new(session, user_id, now) < MOST_FROM_NEW:  # the pause may have been this one's own
        user.locked_until = None


def unblock(session: Session, user: UserRow) -> None:
    """Have passwords of the user tried again from everywhere, all wrong ones forgotten."""
    user.locked_until = None
    session.execute(
        update(SignInAddressRow)
        .where(SignInAddressRow.user_id == user.id)
        .values(failures=0, failed_at=None, blocked_until=None)
    )


def prune(session: Session, now: datetime) -> None:
    """Forget addresses that were not used for so long that they no longer count, in a session for everybody."""
    is_old = or_(SignInAddressRow.signed_in_at.is_(None), SignInAddressRow.signed_in_at < now - KNOWN_FOR)
    is_quiet = or_(SignInAddressRow.failed_at.is_(None), SignInAddressRow.failed_at < now - REMEMBERED_FOR)
    session.execute(delete(SignInAddressRow).where(is_old, is_quiet).execution_options(synchronize_session=False))


def _remember(session: Session, user_id: str, address: str) -> SignInAddressRow:
    row = SignInAddressRow(user_id=user_id, network=client_network(address), failures=0)
    session.add(row)
    return row


def _failures_from_new(session: Session, user_id: str, now: datetime) -> int:
    row = SignInAddressRow
    is_new = or_(row.signed_in_at.is_(None), row.signed_in_at <= now - KNOWN_FOR)
    where = (row.user_id == user_id, is_new, row.failed_at > now - REMEMBERED_FOR)
    return session.scalar(select(func.sum(row.failures)).where(*where)) or 0


def _pause_from(beyond: int, now: datetime) -> datetime | None:
    return None if beyond < 0 else now + min(LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(beyond, 10))

"""Types of accounts: who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal

from pinfold.core.errors import Forbidden
from pinfold.db.changes import Actor

TOKEN_PREFIX: Final = "pf_"

TokenKind = Literal["owner", "api", "session"]
"""The first one of a server or one from the command line, one that was made, or one of a sign-in."""


class Scope(StrEnum):
    """What a token may be used for."""

    FILES_READ = "files:read"
    """See files."""
    FILES_WRITE = "files:write"
    """Upload, change and delete files."""
    PINS_READ = "pins:read"
    """See pins, here and by the Pinning Service API."""
    PINS_WRITE = "pins:write"
    """Ask for pins, change and remove them."""
    WEBHOOKS_READ = "webhooks:read"
    """See webhooks and what became of their deliveries."""
    WEBHOOKS_WRITE = "webhooks:write"
    """Make, change and remove webhooks, and send again."""
    USAGE_READ = "usage:read"
    """See usage, quotas and limits."""
    AUDIT_READ = "audit:read"
    """Read the audit log."""
    ORG_READ = "org:read"
    """See the organisation, its members and projects."""
    ORG_ADMIN = "org:admin"
    """Change the organisation: members, invitations, projects, tokens."""
    SERVER_ADMIN = "server:admin"
    """Look after the whole server: organisations, users, plans, jobs of all."""


class Role(StrEnum):
    """What a member of an organisation is."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"

    @property
    def scopes(self) -> frozenset[Scope]:
        """The most that a token of such a member can be given."""
        return SCOPES_OF_ROLE[self]


_VIEWER: Final = frozenset({Scope.FILES_READ, Scope.PINS_READ, Scope.USAGE_READ, Scope.ORG_READ})
_MEMBER: Final = _VIEWER | {Scope.FILES_WRITE, Scope.PINS_WRITE}
_ADMIN: Final = frozenset(Scope) - {Scope.SERVER_ADMIN}
SCOPES_OF_ROLE: Final[dict[Role, frozenset[Scope]]] = {
    Role.VIEWER: _VIEWER,
    Role.MEMBER: _MEMBER,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _ADMIN,
}


@dataclass(frozen=True, slots=True)
class Rates:
    """How many requests an organisation may send, by all its tokens together; None is no limit."""

    uploads: int | None = None
    requests: int | None = None
    window_s: int = 900
    requests_per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request, for which organisation, and with what right."""

    token_id: str
    name: str
    organisation_id: str
    scopes: frozenset[Scope]
    user_id: str | None = None
    plan: str = "unlimited"
    address: str = ""
    """The network address that the request came from."""
    request_id: str = ""
    kind: TokenKind = "api"
    role: Role | None = None
    """Of the user in the organisation; None for a token that is nobody's."""
    rates: Rates = Rates()
    expires_at: datetime | None = None
    has_limited_uses: bool = False

    @property
    def actor(self) -> Actor:
        """As the audit log knows them."""
        if not self.token_id:
            return Actor("system", None, self.name, self.address, self.request_id)
        if self.user_id is not None:
            return Actor("user", self.user_id, self.name, self.address, self.request_id)
        return Actor("token", self.token_id, self.name, self.address, self.request_id)

    @property
    def is_signed_in(self) -> bool:
        """Whether a user signed in, rather than a program that was given a token."""
        return self.kind == "session" and self.user_id is not None

    @property
    def may_name_owners(self) -> bool:
        """Whether they may make and unmake owners: owners themselves, and who looks after the server."""
        return self.role is Role.OWNER or self.kind == "owner" or Scope.SERVER_ADMIN in self.scopes

    @property
    def is_operator(self) -> bool:
        """Whether this is a command on the server's own machine, which may do everything."""
        return self.kind == "owner" and not self.token_id

    def require_all_of(self, role: Role) -> None:
        """Make sure that the caller could do all that ``role`` may: nobody gives what they lack.  Raises: Forbidden."""
        if Scope.SERVER_ADMIN in self.scopes:
            return
        if missing := role.scopes - self.scopes:
            raise Forbidden(f"the role {role} cannot be given by a token that lacks {', '.join(sorted(missing))}")

    def require(self, scope: Scope) -> None:
        """Make sure of the right.  Raises: Forbidden."""
        if scope not in self.scopes:
            raise Forbidden(f"this needs a token with the scope {scope}")


def operator(organisation_id: str) -> Caller:
    """Whoever runs commands on the server's own machine: every right, in the name of one organisation."""
    return Caller("", "command line", organisation_id, frozenset(Scope), kind="owner")

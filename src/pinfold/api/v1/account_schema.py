"""What the API takes and gives about people, organisations, tokens and plans; every field is described here, once."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from pinfold.api.times import Moment
from pinfold.services.accounts import Role, Scope
from pinfold.services.accounts.passwords import MAX_CHARACTERS, MIN_CHARACTERS
from pinfold.services.accounts.sign_in import SignedIn

ID = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
TIME = "2026-01-31T12:00:00.000000Z"
_TOKEN = "pf_q0JbbW1vbi1zZW5zZS1pcy1ub3QtYS10b2tlbg"
_MAX_INT = (1 << 31) - 1
_MAX_BIG = (1 << 63) - 1

Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Email = Annotated[str, Field(min_length=3, max_length=254)]
Password = Annotated[str, Field(min_length=MIN_CHARACTERS, max_length=MAX_CHARACTERS)]
GivenPassword = Annotated[str, Field(max_length=MAX_CHARACTERS)]
Count = Annotated[int, Field(strict=True, ge=0, le=_MAX_INT)]
Amount = Annotated[int, Field(strict=True, ge=0, le=_MAX_BIG)]
UserStatus = Literal["active", "disabled"]
OrganisationStatus = Literal["active", "suspended"]
ProjectStatus = Literal["planned", "active", "paused", "archived"]
PlanName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class _Wish(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Told(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    @classmethod
    def of(cls, record: Any) -> Self:
        """The record as the API tells it."""
        return cls.model_validate(record)


class Gone(BaseModel):
    """What was removed."""

    id: str = Field(description="The id of what is gone.", examples=[ID])


# -- sessions and oneself --------------------------------------------------------------------------------------------


class SignIn(_Wish):
    """Who signs in."""

    email: Email = Field(description="The e-mail address.", examples=["ada@example.org"])
    password: GivenPassword = Field(description="The password.", examples=["correct horse battery staple"])
    organisation: str = Field(
        "",
        max_length=64,
        pattern=r"^[a-z0-9-]*$",
        description="Slug or id of the organisation to work in; left out: the one that was joined first.",
        examples=["default"],
    )


class SignUp(_Wish):
    """Who wants to become a user, where sign-up is open."""

    email: Email = Field(description="The e-mail address.", examples=["ada@example.org"])
    name: Name = Field(description="A name for people.", examples=["Ada"])
    password: Password = Field(description="A password.", examples=["correct horse battery staple"])
    organisation: Name = Field(description="A name for the new organisation.", examples=["Ada's papers"])


class Acceptance(_Wish):
    """The answer to an invitation."""

    token: str = Field(max_length=256, description="The invitation's token: `pfi_…`.", examples=["pfi_…"])
    name: Name | None = Field(
        None,
        description="A name for people; a user who is there already keeps theirs. Left out: the first part of the "
        "e-mail address.",
        examples=["Ada"],
    )
    password: GivenPassword = Field(
        description="A password to be; of a user who is there already, the one they have.",
        examples=["correct horse battery staple"],
    )


class Session(BaseModel):
    """Somebody signed in: send the token as `Authorization: Bearer …`."""

    token: str = Field(description="The session's token, shown this once.", examples=[_TOKEN])
    expires_at: datetime = Field(description="When it ends by itself, UTC.", examples=[TIME])
    user_id: str = Field(description="Who is signed in.", examples=[ID])
    organisation_id: str = Field(description="The organisation that this session works in.", examples=[ID])
    scopes: list[Scope] = Field(description="What it may be used for.", examples=[["files:read"]])

    @classmethod
    def of(cls, signed_in: SignedIn) -> Session:
        """The session as the API tells it."""
        return cls(
            token=signed_in.token,
            expires_at=signed_in.expires_at,
            user_id=signed_in.user_id,
            organisation_id=signed_in.organisation_id,
            scopes=[Scope(one) for one in signed_in.scopes],
        )


class User(_Told):
    """A person."""

    id: str = Field(description="Names the user.", examples=[ID])
    email: str = Field(description="The e-mail address, in lower case.", examples=["ada@example.org"])
    name: str = Field(description="The name for people.", examples=["Ada"])
    is_administrator: bool = Field(description="Whether they look after the whole server.", examples=[False])
    status: UserStatus = Field(description="A disabled user is refused everywhere.", examples=["active"])
    locked_until: datetime | None = Field(
        description="After too many wrong passwords: until when none is tried from addresses that the user has not "
        "signed in from, UTC.",
        examples=[None],
    )
    last_sign_in_at: datetime | None = Field(description="When they signed in last, UTC.", examples=[TIME])
    created_at: datetime = Field(description="Since when they are known, UTC.", examples=[TIME])


class OwnChange(_Wish):
    """What somebody changes of themselves; what is left out stays."""

    name: Name | None = Field(None, description="Another name for people.", examples=["Ada"])
    password: Password | None = Field(
        None, description="Another password; other sessions and tokens end.", examples=[None]
    )
    current_password: GivenPassword = Field(
        "", description="The password so far: needed with `password` where there is one.", examples=[""]
    )
    keep_tokens: StrictBool = Field(
        False,
        description="With `password`: leave the user's tokens as they are; sessions end all the same.",
        examples=[False],
    )


class UserWish(_Wish):
    """A user to be made, of no organisation yet."""

    email: Email = Field(description="The e-mail address.", examples=["ada@example.org"])
    name: Name = Field(description="A name for people.", examples=["Ada"])
    password: Password | None = Field(None, description="A password; without one nobody signs in.", examples=[None])


class UserChange(_Wish):
    """What the administrator changes of a user; what is left out stays."""

    status: UserStatus | None = Field(
        None,
        description="`disabled`: refused everywhere at once, sessions and tokens ended for good.",
        examples=["disabled"],
    )
    is_administrator: StrictBool | None = Field(
        None, description="Whether they look after the server.", examples=[None]
    )
    password: Password | None = Field(
        None, description="Another password; their sessions and tokens end.", examples=[None]
    )
    unlock: StrictBool = Field(False, description="Have passwords tried again at once.", examples=[False])


class RateLimits(_Told):
    """How many requests the organisation may send, by all its tokens together; null is no limit."""

    uploads: int | None = Field(description="Uploads in a window.", examples=[10])
    requests: int | None = Field(description="Requests in a window.", examples=[100])
    window_s: int = Field(description="A window's length in seconds.", examples=[900])
    requests_per_day: int | None = Field(description="Requests of the organisation a day.", examples=[None])


class Quotas(_Told):
    """What the organisation may keep; null is no limit."""

    bytes: int | None = Field(description="Bytes of files and pins together.", examples=[1 << 30])
    files: int | None = Field(description="Files.", examples=[1000])
    pins: int | None = Field(description="Pins that no file made.", examples=[1000])


class Myself(BaseModel):
    """Who a token speaks for, and what it is good for."""

    token_id: str = Field(description="Names the token.", examples=[ID])
    token_kind: Literal["owner", "api", "session"] = Field(description="What the token is.", examples=["api"])
    expires_at: datetime | None = Field(description="When the token ends, UTC.", examples=[None])
    scopes: list[Scope] = Field(description="What it may be used for now.", examples=[["files:read", "pins:read"]])
    organisation_id: str = Field(description="The organisation that it works in.", examples=[ID])
    plan: str = Field(description="The organisation's plan.", examples=["unlimited"])
    role: Role | None = Field(
        description="The user's role in it; null for a token that is nobody's.", examples=["owner"]
    )
    user: User | None = Field(description="Whose it is; null for a token that is nobody's.")
    rate_limits: RateLimits = Field(description="How often it may ask.")
    quotas: Quotas = Field(description="What the organisation may keep.")
    room: Quotas = Field(description="What still fits, uploads that run counted in.")
    gateway_url: str = Field(
        description="Where content can be read: `/ipfs/CID` behind it.", examples=["https://ipfs.example.com"]
    )


# -- tokens ----------------------------------------------------------------------------------------------------------


class TokenWish(_Wish):
    """A token to be made."""

    name: Name = Field(description="What it is for.", examples=["build server"])
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=32,
        description="What it may be used for: no more than its maker may.",
        examples=[["files:read", "files:write"]],
    )
    expires_at: Moment | None = Field(None, description="When it ends; null: never.", examples=[None])
    uses: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=_MAX_INT,
        description="How many requests it is good for; null: any number.",
        examples=[None],
    )


class Token(_Told):
    """A token, without itself."""

    id: str = Field(description="Names the token.", examples=[ID])
    user_id: str | None = Field(description="Whose it is: their role bounds it.", examples=[ID])
    kind: Literal["owner", "api", "session"] = Field(description="What it is.", examples=["api"])
    name: str = Field(description="What it is for.", examples=["build server"])
    shown_prefix: str = Field(description="Its first characters, to know it again.", examples=["pf_q0Jbb"])
    scopes: list[Scope] = Field(description="What it may be used for.", examples=[["files:read"]])
    expires_at: datetime | None = Field(description="When it ends, UTC; null: never.", examples=[None])
    uses_left: int | None = Field(description="Requests that are left; null: any number.", examples=[None])
    last_used_at: datetime | None = Field(description="When it was used last, to the minute, UTC.", examples=[TIME])
    created_at: datetime = Field(description="When it was made, UTC.", examples=[TIME])


class NewToken(Token):
    """A token that was just made."""

    token: str = Field(description="The token itself, shown this once.", examples=[_TOKEN])


# -- organisations ---------------------------------------------------------------------------------------------------


class Organisation(_Told):
    """A tenant."""

    id: str = Field(description="Names the organisation.", examples=[ID])
    name: str = Field(description="Its name for people.", examples=["Ada's papers"])
    slug: str = Field(description="Its short name, which never changes.", examples=["adas-papers"])
    plan: str = Field(description="The plan that its limits come from.", examples=["free"])
    status: OrganisationStatus = Field(description="A suspended one is refused everywhere.", examples=["active"])
    quota_bytes: int | None = Field(description="Its own quota of bytes; null: its plan's.", examples=[None])
    quota_files: int | None = Field(description="Its own quota of files; null: its plan's.", examples=[None])
    quota_pins: int | None = Field(description="Its own quota of pins; null: its plan's.", examples=[None])
    quota_requests_per_day: int | None = Field(
        description="Its own quota of requests a day; null: its plan's.", examples=[None]
    )
    created_at: datetime = Field(description="When it was made, UTC.", examples=[TIME])
    updated_at: datetime = Field(description="When it was changed last, UTC.", examples=[TIME])


class Rename(_Wish):
    """Another name."""

    name: Name = Field(description="The name for people.", examples=["Ada's papers"])


class OrganisationWish(_Wish):
    """An organisation to be made."""

    name: Name = Field(description="A name for people.", examples=["Ada's papers"])
    slug: str | None = Field(
        None,
        max_length=64,
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        description="A short name; left out: made from the name.",
        examples=["adas-papers"],
    )
    plan: PlanName = Field("unlimited", description="The plan that its limits come from.", examples=["free"])


class OrganisationChange(_Wish):
    """What the administrator changes of an organisation; what is left out stays, and a quota of null is the plan's."""

    name: Name | None = Field(None, description="Another name.", examples=["Ada's papers"])
    plan: PlanName | None = Field(None, description="Another plan.", examples=["unlimited"])
    status: OrganisationStatus | None = Field(
        None, description="`suspended`: refused everywhere at once, its content kept.", examples=["suspended"]
    )
    quota_bytes: Amount | None = Field(None, description="Bytes that it may keep.", examples=[1 << 40])
    quota_files: Amount | None = Field(None, description="Files that it may keep.", examples=[None])
    quota_pins: Amount | None = Field(None, description="Pins that it may keep.", examples=[None])
    quota_requests_per_day: Amount | None = Field(None, description="Requests a day.", examples=[None])


class Member(_Told):
    """A person's place in an organisation."""

    user_id: str = Field(description="Who it is.", examples=[ID])
    email: str = Field(description="Their e-mail address.", examples=["ada@example.org"])
    name: str = Field(description="Their name for people.", examples=["Ada"])
    role: Role = Field(description="What they are in the organisation.", examples=["member"])
    status: UserStatus = Field(description="Whether the server lets them in at all.", examples=["active"])
    created_at: datetime = Field(description="Since when, UTC.", examples=[TIME])


class RoleChange(_Wish):
    """Another role."""

    role: Role = Field(description="The role; it bounds their tokens at once.", examples=["viewer"])


class InvitationWish(_Wish):
    """Whom to invite."""

    email: Email = Field(description="The e-mail address; nothing is sent there.", examples=["ada@example.org"])
    role: Role = Field(Role.MEMBER, description="What they will be.", examples=["member"])


class Invitation(_Told):
    """A way in that nobody has taken yet."""

    id: str = Field(description="Names the invitation.", examples=[ID])
    email: str = Field(description="Whom it is for.", examples=["ada@example.org"])
    role: Role = Field(description="What they will be.", examples=["member"])
    invited_by: str | None = Field(description="The user who invited.", examples=[ID])
    created_at: datetime = Field(description="When it was made, UTC.", examples=[TIME])
    expires_at: datetime = Field(description="When it ends, UTC.", examples=[TIME])


class NewInvitation(Invitation):
    """An invitation that was just made."""

    token: str = Field(description="What the invited sends to accept, shown this once.", examples=["pfi_…"])


# -- projects and plans ----------------------------------------------------------------------------------------------


class ProjectWish(_Wish):
    """A project to be made."""

    name: Name = Field(description="Its name, of which there is one in the organisation.", examples=["website"])
    description: str = Field("", max_length=4000, pattern=r"^[^\x00]*$", description="What it is.", examples=[""])
    status: ProjectStatus = Field("active", description="How it stands.", examples=["active"])
    starts_on: date | None = Field(None, description="The day it starts.", examples=["2026-02-01"])
    team: list[str] = Field(
        default_factory=list, max_length=200, description="Ids of members who work at it.", examples=[[]]
    )


class ProjectChange(_Wish):
    """What is to be changed; what is left out stays."""

    name: Name | None = Field(None, description="Another name.", examples=["website"])
    description: str | None = Field(None, max_length=4000, pattern=r"^[^\x00]*$", description="What it is.")
    status: ProjectStatus | None = Field(None, description="How it stands.", examples=["archived"])
    starts_on: date | None = Field(None, description="The day it starts; null: none.", examples=["2026-02-01"])
    team: list[str] | None = Field(None, max_length=200, description="Ids of members who work at it.", examples=[[]])


class Project(_Told):
    """Work inside an organisation."""

    id: str = Field(description="Names the project.", examples=[ID])
    name: str = Field(description="Its name.", examples=["website"])
    description: str = Field(description="What it is.", examples=[""])
    status: ProjectStatus = Field(description="How it stands.", examples=["active"])
    starts_on: date | None = Field(description="The day it starts.", examples=["2026-02-01"])
    team: list[str] = Field(description="Ids of members who work at it.", examples=[[ID]])
    created_at: datetime = Field(description="When it was made, UTC.", examples=[TIME])
    updated_at: datetime = Field(description="When it was changed last, UTC.", examples=[TIME])


class PlanWish(_Wish):
    """Limits and quotas; null is no limit."""

    uploads_per_window: Count | None = Field(None, description="Uploads of an organisation in a window.", examples=[10])
    requests_per_window: Count | None = Field(
        None, description="Requests of an organisation in a window.", examples=[100]
    )
    window_s: int = Field(
        900, strict=True, ge=1, le=86_400, description="A window's length in seconds.", examples=[900]
    )
    quota_bytes: Amount | None = Field(None, description="Bytes of files and pins together.", examples=[1 << 30])
    quota_files: Amount | None = Field(None, description="Files.", examples=[1000])
    quota_pins: Amount | None = Field(None, description="Pins that no file made.", examples=[1000])
    quota_requests_per_day: Amount | None = Field(
        None, description="Requests of an organisation a day.", examples=[None]
    )


class Plan(PlanWish):
    """Limits and quotas by name; null is no limit."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="Its name.", examples=["free"])

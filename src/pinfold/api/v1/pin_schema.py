"""What version 1 of the API takes and gives about pins; every field is described here, once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from pinfold.api import texts
from pinfold.api.times import Moment
from pinfold.core.cid import CID
from pinfold.core.tier import Tier
from pinfold.engine import TrackerStatus
from pinfold.services.pins import Health, PinReport, PinRequest, Priority, RequestStatus, Wanted
from pinfold.services.pins.bulk import BulkOutcome, BulkResult
from pinfold.services.pins.tiers import MAX_FACTOR

CID_EXAMPLE = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
_ID = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
_TIME = "2026-01-31T12:00:00.000000Z"
_ORIGIN = "/dns4/gateway.example.com/tcp/443/https"

MAX_NAME = 255
MAX_ORIGINS = 20
MAX_META = 1000
MAX_BULK = 10_000

PriorityName = Literal["low", "normal", "high"]
PRIORITIES = {"low": Priority.LOW, "normal": Priority.NORMAL, "high": Priority.HIGH}


Storable = AfterValidator(texts.check)
Name = Annotated[str, StringConstraints(max_length=MAX_NAME), Storable]
Origin = Annotated[str, StringConstraints(max_length=1000, pattern="^/"), Storable]
MetaKey = Annotated[str, StringConstraints(max_length=255), Storable]
MetaValue = Annotated[str, StringConstraints(max_length=4096), Storable]
Meta = Annotated[dict[MetaKey, MetaValue], Field(max_length=MAX_META)]
Factor = Annotated[int, Field(strict=True, ge=1, le=MAX_FACTOR)]


class PinWish(BaseModel):
    """How something is to be kept; all of it may be left out."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field("", description="A name for the pin.", examples=["website, March"])
    tier: Tier | None = Field(
        None,
        description="How many copies it is worth: critical 5, important 3, standard 2, ephemeral 1. "
        "Left out: what the engine can do, two at most.",
    )
    replication_factor_min: Factor | None = Field(
        None, description="Copies from which on it is pinned; the tier's where left out.", examples=[1]
    )
    replication_factor_max: Factor | None = Field(
        None, description="Copies that are wanted; the tier's where left out.", examples=[1]
    )
    priority: PriorityName = Field("normal", description="Who is served first when many wait.")
    metadata: Meta = Field(
        default_factory=dict, description="Keys and values of yours, to filter by.", examples=[{"app": "blog"}]
    )
    origins: list[Origin] = Field(
        default_factory=list,
        max_length=MAX_ORIGINS,
        description="Multiaddrs of nodes that may have the content; those that speak HTTP are asked, and refused where "
        "they lead into a private network, unless the operator allows that.",
        examples=[[_ORIGIN]],
    )
    expires_at: Moment | None = Field(
        None,
        description="Until when it is wanted, not in the past; some time after that the pin is removed.",
        examples=["2099-01-31T12:00:00Z"],
    )

    def wanted(self, cid: CID) -> Wanted:
        """The wish for one CID."""
        return Wanted(
            cid=cid,
            name=self.name,
            tier=self.tier,
            replication_factor_min=self.replication_factor_min,
            replication_factor_max=self.replication_factor_max,
            priority=PRIORITIES[self.priority],
            meta=self.metadata,
            origins=tuple(dict.fromkeys(self.origins)),
            expires_at=self.expires_at,
        )


class NewPin(PinWish):
    """A CID that is to be kept, and how."""

    cid: str = Field(max_length=512, description="The CID, in any base.", examples=[CID_EXAMPLE])


class PinChanges(BaseModel):
    """What is to be changed; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field("", description="Another name.", examples=["website, April"])
    tier: Tier | None = Field(None, description="Another tier; gives the factors anew where they are left out.")
    replication_factor_min: Factor | None = Field(None, description="Copies from which on it is pinned.", examples=[1])
    replication_factor_max: Factor | None = Field(None, description="Copies that are wanted.", examples=[2])
    priority: PriorityName = Field("normal", description="Who is served first when many wait.")
    metadata: Meta = Field(default_factory=dict, description="Keys and values in the place of all there are.")
    origins: list[Origin] = Field(
        default_factory=list, max_length=MAX_ORIGINS, description="Multiaddrs in the place of those there are."
    )
    expires_at: Moment | None = Field(None, description="Until when it is wanted, not in the past; null for no end.")


class Pin(BaseModel):
    """One pin request."""

    id: str = Field(description="Names the request.", examples=[_ID])
    cid: str = Field(description="What is to be kept.", examples=[CID_EXAMPLE])
    name: str = Field(description="The name that was given.", examples=["website, March"])
    pinStatus: RequestStatus = Field(description="Where it stands.", examples=["queued"])
    error: str | None = Field(description="Why the last attempt failed, or why it waits.", examples=[None])
    of_file: bool = Field(description="Whether an upload made it; then it goes with its file.", examples=[False])
    tier: Tier | None = Field(description="Its tier, where it has one.", examples=["ephemeral"])
    replication_factor_min: int = Field(description="Copies from which on it is pinned.", examples=[1])
    replication_factor_max: int = Field(description="Copies that are wanted.", examples=[1])
    priority: PriorityName = Field(description="Who is served first when many wait.", examples=["normal"])
    metadata: dict[str, str] = Field(description="Keys and values of yours.", examples=[{"app": "blog"}])
    origins: list[str] = Field(description="Multiaddrs of nodes that may have the content.", examples=[[_ORIGIN]])
    size: int | None = Field(
        description="Bytes of all blocks; null until they were here, and for a file's.", examples=[1048576]
    )
    expires_at: datetime | None = Field(description="Until when it is wanted, UTC.", examples=[None])
    created_at: datetime = Field(description="When it was asked for, UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="When its status changed last, UTC.", examples=[_TIME])

    @classmethod
    def of(cls, request: PinRequest) -> Pin:
        """The request as the API tells it."""
        return cls(**told(request))


def told(request: PinRequest) -> dict[str, Any]:
    """A ``Pin`` as JSON takes it; lists of many are asked for often, and checking each would take most of the time."""
    return {
        "id": request.id,
        "cid": str(request.cid),
        "name": request.name,
        "pinStatus": request.status,
        "error": request.error,
        "of_file": request.of_file,
        "tier": request.tier,
        "replication_factor_min": request.replication_factor_min,
        "replication_factor_max": request.replication_factor_max,
        "priority": _PRIORITY_NAMES[request.priority],
        "metadata": request.meta,
        "origins": request.origins,
        "size": request.size_bytes,
        "expires_at": request.expires_at,
        "created_at": request.created_at,
        "updated_at": request.updated_at,
    }


_PRIORITY_NAMES: dict[Priority, PriorityName] = {
    Priority.LOW: "low",
    Priority.NORMAL: "normal",
    Priority.HIGH: "high",
}


class PinsRemoved(BaseModel):
    """What was removed."""

    ids: list[str] = Field(description="The ids of the requests that are gone.", examples=[[_ID]])


class PinNode(BaseModel):
    """What one peer says of the CID."""

    id: str = Field(description="Names the peer.", examples=["embedded"])
    name: str = Field(description="The peer's name for people.", examples=["this machine"])
    status: TrackerStatus = Field(description="What the peer says, in IPFS Cluster's words.", examples=["pinned"])
    last_seen: datetime = Field(description="When the peer was asked, UTC.", examples=[_TIME])
    claimed: datetime | None = Field(description="Since when it says it keeps every block, UTC.", examples=[_TIME])
    verified: datetime | None = Field(description="When its copy was last proved, UTC.", examples=[None])
    error: str | None = Field(description="What kept it from pinning.", examples=[None])


class PinProgress(BaseModel):
    """How far the content of a CID has come."""

    blocks: int = Field(description="Distinct blocks that are here.", examples=[120])
    bytes: int = Field(description="Their bytes.", examples=[31457280])
    total_bytes: int | None = Field(description="Of the whole, where that is known.", examples=[None])
    at: datetime = Field(description="When this was noted, UTC.", examples=[_TIME])


class PinStatus(BaseModel):
    """How a CID stands: its requests and its copies."""

    cid: str = Field(description="The content's identifier.", examples=[CID_EXAMPLE])
    status: Health = Field(description="How the copies stand.", examples=["healthy"])
    pinStatus: RequestStatus = Field(description="Where the newest request stands.", examples=["pinned"])
    error: str | None = Field(description="Why the last attempt failed, or why it waits.", examples=[None])
    total_replicas: int = Field(description="Copies that are wanted.", examples=[1])
    healthy_replicas: int = Field(description="Copies that are there.", examples=[1])
    failed_replicas: int = Field(description="Peers that should hold a copy and do not.", examples=[0])
    nodes: list[PinNode] = Field(description="What each peer says.")
    progress: PinProgress | None = Field(description="How far the content has come; null where nobody has looked.")
    requests: list[Pin] = Field(
        description="Every request of your organisation that names the CID, files' included, oldest first."
    )
    attempts: int = Field(description="Attempts that failed since the last change.", examples=[0])
    next_attempt_at: datetime | None = Field(
        description="When it is looked at again, UTC; null when nothing is left to do.", examples=[None]
    )

    @classmethod
    def of(cls, report: PinReport) -> PinStatus:
        """The report as the API tells it."""
        newest = report.requests[-1]
        progress = report.progress
        return cls(
            cid=str(report.cid),
            status=report.health,
            pinStatus=newest.status,
            error=newest.error,
            total_replicas=report.total_replicas,
            healthy_replicas=report.healthy_replicas,
            failed_replicas=report.failed_replicas,
            nodes=[
                PinNode(
                    id=node.id,
                    name=node.name,
                    status=node.status,
                    last_seen=node.seen_at,
                    claimed=node.claimed_at,
                    verified=node.verified_at,
                    error=node.error,
                )
                for node in report.nodes
            ],
            progress=None
            if progress is None
            else PinProgress(
                blocks=progress.blocks, bytes=progress.bytes, total_bytes=progress.size_bytes, at=progress.at
            ),
            requests=[Pin.of(request) for request in report.requests],
            attempts=report.attempts,
            next_attempt_at=report.next_attempt_at,
        )


# -- many at once ----------------------------------------------------------------------------------------------------


class PinsToAdd(BaseModel):
    """CIDs that are to be kept."""

    model_config = ConfigDict(extra="forbid")

    pins: list[NewPin] = Field(min_length=1, max_length=MAX_BULK, description="What is to be kept.")


class PinsToRemove(BaseModel):
    """Requests that are to be removed."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Annotated[str, StringConstraints(max_length=64), Storable]] = Field(
        min_length=1, max_length=MAX_BULK, description="The ids of requests.", examples=[[_ID]]
    )


class PinsToRenew(PinsToRemove):
    """Requests that are to be kept until another time, and looked at afresh."""

    expires_at: Moment | None = Field(None, description="Until when they are wanted, not in the past; null for no end.")


class BulkItem(BaseModel):
    """What became of one item."""

    result: BulkOutcome = Field(description="What was done.", examples=["created"])
    id: str | None = Field(description="The request.", examples=[_ID])
    cid: str | None = Field(description="Its CID.", examples=[CID_EXAMPLE])
    code: str | None = Field(description="The code of the error, where it was refused.", examples=[None])
    error: str | None = Field(description="Why it was refused.", examples=[None])


class Bulk(BaseModel):
    """What became of many items."""

    accepted: int = Field(description="Items that were carried out.", examples=[9999])
    refused: int = Field(description="Items that were refused.", examples=[1])
    items: list[BulkItem] = Field(description="What became of each, in the order in which they were sent.")

    @classmethod
    def of(cls, results: list[BulkResult]) -> Bulk:
        """The results as the API tells them."""
        items = [
            BulkItem(result=one.outcome, id=one.id, cid=one.cid, code=one.code, error=one.error) for one in results
        ]
        refused = sum(one.outcome is BulkOutcome.REFUSED for one in results)
        return cls(accepted=len(results) - refused, refused=refused, items=items)

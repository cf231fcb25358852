"""What version 1 of the API takes and gives; every field is described here, once."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from pinfold.engine import TrackerStatus
from pinfold.services.pins import Health, PinReport, PinRequest, RequestStatus

_CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
_ID = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
_TIME = "2026-01-31T12:00:00.000000Z"


class PinWish(BaseModel):
    """What may be said beside the CID; the body may be left out."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=255, description="A name for the pin.", examples=["website, March"])


class Pin(BaseModel):
    """One pin request."""

    id: str = Field(description="Names the request.", examples=[_ID])
    cid: str = Field(description="What is to be kept.", examples=[_CID])
    name: str = Field(description="The name that was given.", examples=["website, March"])
    pinStatus: RequestStatus = Field(description="Where it stands.", examples=["queued"])
    error: str | None = Field(description="Why the last attempt failed.", examples=[None])
    created_at: datetime = Field(description="When it was asked for, UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="When its status changed last, UTC.", examples=[_TIME])

    @classmethod
    def of(cls, request: PinRequest) -> Pin:
        """The request as the API tells it."""
        return cls(
            id=request.id,
            cid=str(request.cid),
            name=request.name,
            pinStatus=request.status,
            error=request.error,
            created_at=request.created_at,
            updated_at=request.updated_at,
        )


class PinNode(BaseModel):
    """What one peer says of the CID."""

    id: str = Field(description="Names the peer.", examples=["embedded"])
    name: str = Field(description="The peer's name for people.", examples=["this machine"])
    status: TrackerStatus = Field(description="What the peer says, in IPFS Cluster's words.", examples=["pinned"])
    last_seen: datetime = Field(description="When the peer was asked, UTC.", examples=[_TIME])
    claimed: datetime | None = Field(description="Since when it says it keeps every block, UTC.", examples=[_TIME])
    verified: datetime | None = Field(description="When its copy was last proved, UTC.", examples=[None])
    error: str | None = Field(description="What kept it from pinning.", examples=[None])


class PinStatus(BaseModel):
    """How a CID stands: its requests and its copies."""

    cid: str = Field(description="The content's identifier.", examples=[_CID])
    status: Health = Field(description="How the copies stand.", examples=["healthy"])
    pinStatus: RequestStatus = Field(description="Where the newest request stands.", examples=["pinned"])
    error: str | None = Field(description="Why the last attempt failed.", examples=[None])
    total_replicas: int = Field(description="Copies that are wanted.", examples=[1])
    healthy_replicas: int = Field(description="Copies that are there.", examples=[1])
    failed_replicas: int = Field(description="Peers that should hold a copy and do not.", examples=[0])
    nodes: list[PinNode] = Field(description="What each peer says.")
    requests: list[Pin] = Field(description="Every request that names the CID, files' included, oldest first.")
    attempts: int = Field(description="Attempts that failed since the last change.", examples=[0])
    next_attempt_at: datetime | None = Field(
        description="When it is looked at again, UTC; null when nothing is left to do.", examples=[None]
    )

    @classmethod
    def of(cls, report: PinReport) -> PinStatus:
        """The report as the API tells it."""
        newest = report.requests[-1]
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
                    verified=None,  # copies are claimed, not proved, until there is something that proves them
                    error=node.error,
                )
                for node in report.nodes
            ],
            requests=[Pin.of(request) for request in report.requests],
            attempts=report.attempts,
            next_attempt_at=report.next_attempt_at,
        )

"""What the Pinning Service API takes and gives, as its specification names it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from pinfold.api.v1.pin_schema import CID_EXAMPLE, MAX_META, MAX_NAME, MAX_ORIGINS, Storable
from pinfold.core.cid import CID
from pinfold.services.pins import PinRequest, RequestStatus, Wanted
from pinfold.services.pins.model import Progress

_Text = Annotated[str, Storable]
_Origin = Annotated[str, StringConstraints(min_length=1, max_length=1000), Storable]


class PinObject(BaseModel):
    """What is to be kept."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    cid: str = Field(max_length=512, description="The CID, pinned recursively.", examples=[CID_EXAMPLE])
    name: Annotated[str, StringConstraints(max_length=MAX_NAME), Storable] | None = Field(
        None, description="A name to find it by.", examples=["PreciousData.pdf"]
    )
    origins: list[_Origin] | None = Field(
        None, max_length=MAX_ORIGINS, description="Multiaddrs of nodes that may have the content."
    )
    meta: dict[_Text, _Text] | None = Field(
        None, max_length=MAX_META, description="Keys and values of yours, to filter by."
    )

    def wanted(self) -> Wanted:
        """The wish that it is.  Raises: InvalidCID."""
        return Wanted(
            cid=CID.parse(self.cid),
            name=self.name or "",
            meta=self.meta or {},
            origins=tuple(dict.fromkeys(self.origins or ())),
        )


class PinStatusObject(BaseModel):
    """A pin object with its status."""

    requestid: str = Field(description="Names the request.")
    status: RequestStatus = Field(description="Where it stands.")
    created: str = Field(
        description="When it was made; no two of an organisation are equal.",
        examples=["2026-01-31T12:00:00.000000Z"],
        json_schema_extra={"format": "date-time"},
    )
    pin: PinObject = Field(description="What was asked for.")
    delegates: list[str] = Field(min_length=1, max_length=20, description="Who receives the data.")
    info: dict[str, str] = Field(description="More about it: status_details, dag_size, pinned_until, copies.")


class PinResults(BaseModel):
    """Some pin objects."""

    count: int = Field(
        ge=0, description="How many there are in all; a filtered list is counted up to 10,000.", examples=[1]
    )
    results: list[PinStatusObject] = Field(max_length=1000, description="The newest of them.")


class FailureError(BaseModel):
    """What went wrong."""

    reason: str = Field(description="Names the kind of error.", examples=["BAD_REQUEST"])
    details: str = Field("", description="A sentence for a person.")


class Failure(BaseModel):
    """Why a request was refused, or failed."""

    error: FailureError = Field(description="Its kind, and a sentence about it.")


def told(request: PinRequest, delegates: tuple[str, ...], progress: Progress | None) -> dict[str, Any]:
    """A ``PinStatusObject`` as JSON takes it; made by hand, since lists of many are asked for often."""
    pin: dict[str, Any] = {"cid": str(request.cid)}
    if request.name:
        pin["name"] = request.name
    if request.origins:
        pin["origins"] = request.origins
    if request.meta:
        pin["meta"] = request.meta
    return {
        "requestid": request.id,
        "status": request.status,
        "created": f"{request.created_at.replace(tzinfo=None).isoformat(timespec='microseconds')}Z",
        "pin": pin,
        "delegates": delegates,
        "info": _info(request, progress),
    }


def _info(request: PinRequest, progress: Progress | None) -> dict[str, str]:
    info = {"copies": f"{request.replication_factor_min} to {request.replication_factor_max}"}
    if request.error:
        info["status_details"] = request.error
    elif request.status is RequestStatus.PINNING and progress is not None:
        info["status_details"] = f"{progress.blocks:,} blocks, {progress.bytes:,} bytes are here"
    if request.size_bytes is not None:
        info["dag_size"] = str(request.size_bytes)
    if request.expires_at is not None:
        info["pinned_until"] = request.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return info

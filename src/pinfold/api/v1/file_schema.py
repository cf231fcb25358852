"""What the files' endpoints take and give; every field is described here, once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from pinfold.api.envelope import Answer
from pinfold.api.v1.upload_fields import MAX_META_VALUE, MAX_TAG, check_meta, check_name, check_tag
from pinfold.core.tier import Tier
from pinfold.db.files import MAX_META_KEYS, MAX_TAGS
from pinfold.services.files import FileRecord
from pinfold.services.files.model import FileStats, Popular
from pinfold.services.files.resumable import ResumableUpload
from pinfold.services.pins import RequestStatus

_CID = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
_ID = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
_TIME = "2026-01-31T12:00:00.000000Z"

TagText = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TAG), AfterValidator(check_tag)]
MetaText = Annotated[str, StringConstraints(max_length=MAX_META_VALUE)]
Meta = Annotated[dict[MetaText, MetaText], Field(max_length=MAX_META_KEYS), AfterValidator(check_meta)]
CIDItem = Annotated[str, StringConstraints(min_length=1, max_length=512)]
"""Text that should be a CID."""
IdItem = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class File(BaseModel):
    """One uploaded file or folder."""

    id: str = Field(description="Names the file in this API.", examples=[_ID])
    hash: str = Field(description="The CID again, under the name that older clients read.", examples=[_CID])
    cid: str = Field(description="The content's identifier.", examples=[_CID])
    name: str = Field(description="Its name.", examples=["hello.txt"])
    size: int = Field(
        description="Bytes of content, as the content says; of a folder, of all files in it. Quotas count the bytes of "
        "blocks instead: see `logical_bytes` of the usage.",
        examples=[11],
    )
    content_type: str = Field(description="The type it was uploaded as.", examples=["text/plain"])
    is_folder: bool = Field(description="Whether it is a folder.", examples=[False])
    profile: str = Field(
        description="How the DAG was built, enough to derive the same CID again; empty where it came built, in a CAR.",
        examples=["unixfs-v1-2025"],
    )
    tags: list[str] = Field(description="Words to find it by.", examples=[["holiday", "2026"]])
    metadata: dict[str, str] = Field(description="What the uploader says of it.", examples=[{"camera": "X100"}])
    project_id: str | None = Field(description="The project that it belongs to.", examples=[None])
    tier: Tier | None = Field(description="How many copies it is worth, in a word.", examples=["ephemeral"])
    replication_factor_min: int = Field(description="Copies from which on it counts as pinned.", examples=[1])
    replication_factor_max: int = Field(description="Copies that are wanted.", examples=[1])
    pinStatus: RequestStatus = Field(description="Where its pin stands.", examples=["queued"])
    pinError: str | None = Field(description="Why the last attempt to pin failed.", examples=[None])
    created_at: datetime = Field(description="When it was uploaded, UTC.", examples=[_TIME])
    updated_at: datetime = Field(description="When its record changed last, UTC.", examples=[_TIME])

    url: str = Field(
        description="Where the gateway serves it, by its CID, and a file under its name.",
        examples=[f"http://127.0.0.1:8080/ipfs/{_CID}?filename=hello.txt"],
    )

    @classmethod
    def of(cls, record: FileRecord, gateway_url: str) -> File:
        """The file as the API tells it."""
        return cls(**_fields(record, gateway_url))


class UploadedFile(File):
    """A file that was just uploaded."""

    duplicate: Literal["new", "updated"] = Field(
        description="`new`: this is a new file. `updated`: your organisation had a file with this content and name, "
        "which is the one given here, with the new tags and metadata added. Content that you have under another name "
        "is stored and counted once. Files of other organisations make no difference.",
        examples=["new"],
    )

    @classmethod
    def of(cls, record: FileRecord, gateway_url: str) -> UploadedFile:
        """The file as an upload is answered."""
        return cls(**_fields(record, gateway_url), duplicate=record.duplicate or "new")


class UploadAnswer(Answer[UploadedFile | list[UploadedFile]]):
    """What was uploaded."""

    ignored_fields: list[str] = Field(
        [],
        exclude_if=lambda names: not names,
        description="Fields of the form that mean nothing here, such as those that upload widgets add; left out where "
        "there were none.",
        examples=[["csrf_token"]],
    )


def _fields(record: FileRecord, gateway_url: str) -> dict[str, Any]:
    shown = "/" if record.is_folder else "" if record.name == str(record.cid) else f"?filename={quote(record.name)}"
    return {
        "url": f"{gateway_url.rstrip('/')}/ipfs/{record.cid}{shown}",
        "id": record.id,
        "hash": str(record.cid),
        "cid": str(record.cid),
        "name": record.name,
        "size": record.size_bytes,
        "content_type": record.content_type,
        "is_folder": record.is_folder,
        "profile": record.profile,
        "tags": list(record.tags),
        "metadata": record.meta,
        "project_id": record.project_id,
        "tier": record.tier,
        "replication_factor_min": record.replication_factor_min,
        "replication_factor_max": record.replication_factor_max,
        "pinStatus": record.pin_status,
        "pinError": record.pin_error,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }


class FileEdit(BaseModel):
    """What is to be changed; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=255), AfterValidator(check_name)] | None = Field(
        None, description="A new name; the content and its CID stay.", examples=["hello, world.txt"]
    )
    tags: list[TagText] | None = Field(
        None, max_length=MAX_TAGS, description="All tags from now on.", examples=[["holiday"]]
    )
    metadata: Meta | None = Field(None, description="All metadata from now on.", examples=[{"camera": "X100"}])
    project_id: IdItem | None = Field(
        None, description="The project that it belongs to; null takes it out of its project.", examples=[None]
    )


class Deleted(BaseModel):
    """What was deleted."""

    id: str = Field(description="The id of the file that is gone; of several, the newest.", examples=[_ID])
    ids: list[str] = Field(description="The ids of all files that are gone.", examples=[[_ID]])


class Upload(BaseModel):
    """A resumable upload."""

    id: str = Field(description="Names the upload.", examples=[_ID])
    length: int | None = Field(
        description="Bytes of the whole file; null until the client says it.", examples=[1048576]
    )
    offset: int = Field(description="Bytes that are here, durably.", examples=[524288])
    file_id: str | None = Field(description="The file that it has become; null until it is complete.", examples=[None])
    created_at: datetime = Field(description="When it was begun, UTC.", examples=[_TIME])
    expires_at: datetime = Field(description="When it is given up unless more bytes come, UTC.", examples=[_TIME])

    @classmethod
    def of(cls, upload: ResumableUpload) -> Upload:
        """The upload as the API tells it."""
        return cls(
            id=upload.id,
            length=upload.length_bytes,
            offset=upload.offset_bytes,
            file_id=upload.file_id,
            created_at=upload.created_at,
            expires_at=upload.expires_at,
        )


class PopularFile(BaseModel):
    """A file, and how often people read it."""

    file: File = Field(description="The file.")
    requests: int = Field(description="Requests that the gateway served below its CID.", examples=[120])
    egress: int = Field(description="Bytes that the gateway sent for them.", examples=[1320])

    @classmethod
    def of(cls, popular: Popular, gateway_url: str) -> PopularFile:
        """The file as the API tells it."""
        return cls(file=File.of(popular.file, gateway_url), requests=popular.requests, egress=popular.egress_bytes)


class ContentTypeStats(BaseModel):
    """Files of one content type."""

    content_type: str = Field(description="The type.", examples=["image/jpeg"])
    files: int = Field(description="Files of it.", examples=[42])
    bytes: int = Field(description="Their content, each file counted.", examples=[1048576])


class Stats(BaseModel):
    """All files in numbers."""

    files: int = Field(description="Files in all.", examples=[42])
    bytes: int = Field(description="Their content, each file counted.", examples=[1048576])
    content_types: list[ContentTypeStats] = Field(
        description="By content type, most bytes first; the 1,000 largest where there are more."
    )

    @classmethod
    def of(cls, stats: FileStats) -> Stats:
        """The numbers as the API tells them."""
        types = [
            ContentTypeStats(content_type=one.content_type, files=one.files, bytes=one.size_bytes)
            for one in stats.types
        ]
        return cls(files=stats.files, bytes=stats.size_bytes, content_types=types)


class MissingQuestion(BaseModel):
    """Blocks to ask for."""

    model_config = ConfigDict(extra="forbid")

    cids: list[CIDItem] = Field(max_length=10_000, description="CIDs of blocks, at most 10,000.", examples=[[_CID]])
    root: CIDItem | None = Field(
        None, description="A root of yours that may reach them; it is looked into first.", examples=[None]
    )


class Missing(BaseModel):
    """Blocks that have to be sent."""

    missing: list[str] = Field(
        description="Those that are not here for your eyes, as they were spelled; others may well keep them.",
        examples=[[_CID]],
    )


class BatchDelete(BaseModel):
    """Files to delete."""

    model_config = ConfigDict(extra="forbid")

    ids: list[IdItem] = Field(min_length=1, max_length=1000, description="Ids, at most 1,000.", examples=[[_ID]])


class BatchTag(BaseModel):
    """Files to tag."""

    model_config = ConfigDict(extra="forbid")

    ids: list[IdItem] = Field(min_length=1, max_length=1000, description="Ids, at most 1,000.", examples=[[_ID]])
    add: list[TagText] = Field([], max_length=MAX_TAGS, description="Tags to put on.", examples=[["holiday"]])
    remove: list[TagText] = Field([], max_length=MAX_TAGS, description="Tags to take off.", examples=[["draft"]])


class BatchItem(BaseModel):
    """What became of one of many files to delete."""

    id: str = Field(description="As it was sent.", examples=[_ID])
    status: Literal["deleted", "not_found"] = Field(
        description="`not_found`: there is no such file, and nothing was done.", examples=["deleted"]
    )


class Batch(BaseModel):
    """What became of each, in the order in which they were sent."""

    done: int = Field(description="How many were deleted.", examples=[1])
    results: list[BatchItem] = Field(description="One entry for each id.")


class TaggedItem(BaseModel):
    """What became of one of many files to tag."""

    id: str = Field(description="As it was sent.", examples=[_ID])
    status: Literal["updated", "not_found"] = Field(
        description="`not_found`: there is no such file, and nothing was done.", examples=["updated"]
    )


class Tagged(BaseModel):
    """What became of each, in the order in which they were sent."""

    done: int = Field(description="How many there were, and have these tags now.", examples=[1])
    results: list[TaggedItem] = Field(description="One entry for each id.")

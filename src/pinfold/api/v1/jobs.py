"""Background jobs: what takes long is asked for here, and looked at until it is done."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from pinfold.api.auth import FilesReader
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.v1.files import FileKey
from pinfold.services.background import BackgroundService
from pinfold.services.background import Job as JobRecord
from pinfold.services.files import FilesService
from pinfold.services.files.similar import KIND

router = APIRouter(prefix="/api/v1", tags=["jobs"])

_ID = "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
_TIME = "2026-01-31T12:00:00.000000Z"


class SimilarFile(BaseModel):
    """A file that is like another."""

    id: str = Field(description="The file.", examples=[_ID])
    cid: str = Field(
        description="Its content.", examples=["bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"]
    )
    name: str = Field(description="Its name.", examples=["hello (1).txt"])
    size: int = Field(description="Its bytes.", examples=[12])
    reason: Literal["same_name", "similar_name", "similar_image"] = Field(
        description="`same_name`: and a size within a tenth.  `similar_name`: nearly the same letters.  "
        "`similar_image`: a picture that looks the same.",
        examples=["similar_name"],
    )
    score: float = Field(description="How alike, 1 being the same.", examples=[0.87])
    distance: int | None = Field(
        description="Of pictures, in how many of 64 bits their perceptual hashes differ; 5 at most.", examples=[None]
    )


class Similar(BaseModel):
    """What was found."""

    file_id: str = Field(description="The file that others were compared with.", examples=[_ID])
    matches: list[SimilarFile] = Field(description="Files that are like it, the most alike first; 200 at most.")
    compared: int = Field(description="How many files were looked at.", examples=[1204])
    complete: bool = Field(
        description="Whether all files and pictures were compared and all matches are listed; very many are not in "
        "one job, and pictures that were looked into are remembered for the next.",
        examples=[True],
    )


class Job(BaseModel):
    """One background job."""

    id: str = Field(description="Names the job.", examples=[_ID])
    kind: Literal["files.similar"] = Field(description="What it does.", examples=["files.similar"])
    status: Literal["queued", "running", "done", "failed"] = Field(description="Where it stands.", examples=["done"])
    result: Similar | None = Field(description="What came of it; null until it is done.")
    error: str | None = Field(description="Why it failed.", examples=[None])
    created_at: datetime = Field(description="When it was asked for, UTC.", examples=[_TIME])
    finished_at: datetime | None = Field(description="When it was done or failed, UTC.", examples=[_TIME])

    @classmethod
    def of(cls, job: JobRecord) -> Job:
        """The job as the API tells it."""
        said: dict[str, Any] = {
            "id": job.id,
            "kind": job.kind,
            "status": job.status,
            "result": job.result,
            "error": job.error,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
        }
        return cls.model_validate(said)


@router.post(
    "/files/{id}/similar",
    status_code=202,
    summary="Look for similar files",
    response_description="Queued; look at the job by its `id`.",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def find_similar(request: Request, caller: FilesReader, id: FileKey) -> Answer[Job]:
    """Looks among your files for those with the same name and nearly the same size, with nearly the same name, and for
    pictures that look the same.

    It reads and changes nothing, so the scope `files:read` is enough.
    """
    files: FilesService = request.app.state.services.files
    record = await files.get(caller, id)
    background: BackgroundService = request.app.state.services.background
    return Answer(success=True, data=Job.of(await background.submit(caller, KIND, {"file_id": record.id})))


@router.get(
    "/jobs/{id}",
    summary="Look at a job",
    response_description="The job.",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def get_job(
    request: Request,
    caller: FilesReader,
    id: Annotated[str, Path(pattern=r"^[0-9a-f-]{1,64}$", description="The job's `id`.")],
) -> Answer[Job]:
    """One job, with its result once it is done.  Jobs are forgotten after a week."""
    background: BackgroundService = request.app.state.services.background
    return Answer(success=True, data=Job.of(await background.get(caller, id)))

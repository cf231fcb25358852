"""Files: upload, list, look at, delete."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request

from pinfold.api.auth import Authenticated
from pinfold.api.envelope import Answer, ListAnswer, Pagination
from pinfold.api.errors import responses
from pinfold.api.multipart import PartBegin, PartData, parse
from pinfold.api.v1.schema import Deleted, File
from pinfold.core.errors import InvalidInput, PayloadTooLarge
from pinfold.services.files import FilesService, Upload
from pinfold.services.files.model import Stored

router = APIRouter(prefix="/api/v1/files", tags=["files"])

UPLOAD_PATH: Final = "/api/v1/files/upload"
MAX_PAGE: Final = 1_000_000  # deeper offsets cost more than anybody can want to read
FileId = Annotated[UUID, Path(description="The file's `id`.")]

_FORM: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "description": "A file; repeat the field for several.",
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            }
        },
    }
}


@router.post(
    "/upload",
    status_code=201,
    summary="Upload files",
    response_description="Stored; the pins are queued.",
    responses=responses(400, 401, 413, 507),
    openapi_extra=_FORM,
)
async def upload(request: Request, _caller: Authenticated) -> Answer[File | list[File]]:
    """Stores the files and queues their pins.  `data` is the file, or a list of them where several were sent.

    All files of a request are kept, or none: a form that is cut off or malformed leaves nothing.
    """
    limit = request.app.state.max_request_bytes
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise PayloadTooLarge(f"the request has {int(length):,} bytes; this server takes {limit:,}")
    files: FilesService = request.app.state.services.files
    uploads: list[Upload] = []
    recorded = False
    try:
        body = _bounded(request.stream(), limit)
        stored = await _store(files, uploads, request.headers.get("content-type", ""), body)
        records = await files.record(stored)
        recorded = True
    finally:
        if not recorded:
            await files.give_up(uploads)
    answers = [File.of(record) for record in records]
    return Answer(success=True, data=answers[0] if len(answers) == 1 else answers)


async def _store(
    files: FilesService, uploads: list[Upload], content_type: str, body: AsyncIterator[bytes]
) -> list[Stored]:
    stored = []
    async for event in parse(content_type, body):
        if isinstance(event, PartBegin):
            if event.field != "file":
                raise InvalidInput(f"the form has a field {event.field[:40]!r}; only 'file' is known")
            uploads.append(await files.open_upload(event.filename or "", event.content_type))
        elif isinstance(event, PartData):
            await uploads[-1].write(event.data)
        else:
            stored.append(await uploads[-1].finish())
    if not stored:
        raise InvalidInput("the form has no file", hint="curl -F file=@photo.jpg …")
    return stored


async def _bounded(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in body:
        received += len(chunk)
        if received > limit:
            raise PayloadTooLarge(f"the request has more than {limit:,} bytes")
        yield chunk


@router.get("", summary="List files", response_description="The page.", responses=responses(401, 422))
async def list_files(
    request: Request,
    _caller: Authenticated,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="The page, from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=100, description="Files on a page.")] = 20,
) -> ListAnswer[File]:
    """One page of files, newest first."""
    files: FilesService = request.app.state.services.files
    found = await files.page(page, limit)
    return ListAnswer(
        success=True,
        data=[File.of(record) for record in found.files],
        pagination=Pagination.of(page, limit, found.total),
    )


@router.get("/{id}", summary="Look at a file", response_description="The file.", responses=responses(401, 404, 422))
async def get_file(request: Request, _caller: Authenticated, id: FileId) -> Answer[File]:
    """One file, with where its pin stands."""
    files: FilesService = request.app.state.services.files
    return Answer(success=True, data=File.of(await files.get(str(id))))


@router.delete("/{id}", summary="Delete a file", response_description="It is gone.", responses=responses(401, 404, 422))
async def delete_file(request: Request, _caller: Authenticated, id: FileId) -> Answer[Deleted]:
    """Forgets the file.  Its content is unpinned where no other file and no pin request needs it."""
    files: FilesService = request.app.state.services.files
    await files.delete(str(id))
    return Answer(success=True, data=Deleted(id=str(id)))

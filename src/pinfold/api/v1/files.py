"""Files: list, look at, change, delete; one by one or many at once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Query, Request

from pinfold.api import cursors
from pinfold.api.auth import FilesReader, FilesWriter
from pinfold.api.envelope import Answer, ListAnswer, Pagination
from pinfold.api.errors import responses
from pinfold.api.times import as_utc
from pinfold.api.v1.file_schema import (
    Batch,
    BatchDelete,
    BatchItem,
    BatchTag,
    Deleted,
    File,
    FileEdit,
    IdItem,
    Missing,
    MissingQuestion,
    PopularFile,
    Stats,
    Tagged,
    TaggedItem,
)
from pinfold.api.v1.queue_reason import why_queued
from pinfold.api.v1.statuses import Statuses
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput
from pinfold.db.file_filters import After, FileFilter, Sort
from pinfold.db.files import Edit
from pinfold.services.files import FilesService

router = APIRouter(prefix="/api/v1/files", tags=["files"])

MAX_PAGE: Final = 1_000_000  # deeper offsets cost more than anybody can want to read
_TEXT: Final = r"^[^\x00]*$"  # what a database can search for
_KEY: Final = r"^[\x21-\x7e]+$"
FileKey = Annotated[
    str, Path(max_length=512, pattern=_KEY, description="The file's `id`, or its CID, which several files may share.")
]


@router.get(
    "", summary="List files", response_description="The page.", responses=responses(400, 401, 403, 422, 429, 503)
)
async def list_files(
    request: Request,
    caller: FilesReader,
    page: Annotated[int, Query(ge=1, le=MAX_PAGE, description="The page, from 1.")] = 1,
    limit: Annotated[int, Query(ge=1, le=100, description="Files on a page.")] = 20,
    cursor: Annotated[
        str | None,
        Query(max_length=4096, description="`next_cursor` of the page before, which wins over `page`."),
    ] = None,
    status: Annotated[
        Statuses, Query(description="Only with a pin that stands so; several between commas, or repeated.")
    ] = None,
    search: Annotated[
        str, Query(max_length=255, pattern=_TEXT, description="A part of the name, letters' case aside.")
    ] = "",
    content_type: Annotated[
        str, Query(max_length=255, pattern=_TEXT, description="Only of this type, or of a family such as `image/*`.")
    ] = "",
    tag: Annotated[
        list[Annotated[str, Query(max_length=64, pattern=_TEXT)]] | None,
        Query(max_length=50, description="Only with this tag; repeat it for files that have all."),
    ] = None,
    project_id: Annotated[IdItem | None, Query(description="Only of this project.")] = None,
    sort: Annotated[Sort, Query(description="What to sort by.")] = Sort.CREATED_AT,
    order: Annotated[
        Literal["asc", "desc"] | None, Query(description="The direction; names from a to z, all else the other way.")
    ] = None,
    content_type_alias: Annotated[
        str | None,
        Query(alias="contentType", max_length=255, pattern=_TEXT, description="Another name of `content_type`."),
    ] = None,
    sort_alias: Annotated[Sort | None, Query(alias="sortBy", description="Another name of `sort`.")] = None,
    order_alias: Annotated[
        Literal["asc", "desc"] | None, Query(alias="sortOrder", description="Another name of `order`.")
    ] = None,
) -> ListAnswer[File]:
    """One page of files, newest first unless said otherwise.  Follow `next_cursor` for long lists: it is as quick at
    the end as at the beginning, and nothing is shown twice or left out while files come and go.
    """
    for alias, name in (("contentType", "content_type"), ("sortBy", "sort"), ("sortOrder", "order")):
        if {alias, name} <= request.query_params.keys():
            raise InvalidInput(f"{alias} is another name of {name}: send one of them")
    content_type = content_type_alias or content_type
    sort = sort_alias or sort
    order = order_alias or order
    files: FilesService = request.app.state.services.files
    descending = order == "desc" if order is not None else sort is not Sort.NAME
    wanted = FileFilter(tuple(status or ()), search, content_type, tuple(tag or ()), project_id)
    found = await files.page(
        caller, wanted, sort, limit, descending=descending, page=page, after=_after(cursor, sort) if cursor else None
    )
    last = found.next_after
    return ListAnswer(
        success=True,
        data=[File.of(record, _gateway(request)) for record in found.files],
        pagination=Pagination.of(
            None if cursor else page,
            limit,
            found.total,
            is_exact=found.total_is_exact,
            next_cursor=None if last is None else _cursor(last, sort),
        ),
    )


def _gateway(request: Request) -> str:
    url: str = request.app.state.gateway_url
    return url


def _cursor(last: After, sort: Sort) -> str:
    value = last.value.isoformat() if isinstance(last.value, datetime) else last.value
    return cursors.encode(sort.value, value, last.number)


def _after(cursor: str, sort: Sort) -> After:
    """Where a cursor points.  Raises: InvalidInput, also for one of a list in another order."""
    kind, value, number = cursors.decode(cursor, str, int if sort is Sort.SIZE else str, int)
    try:
        read = as_utc(datetime.fromisoformat(str(value))) if sort is Sort.CREATED_AT else value
    except ValueError:
        read = None
    is_storable = not isinstance(value, str) or "\0" not in value
    in_range = all(not isinstance(one, int) or -(1 << 63) <= one < 1 << 63 for one in (value, number))
    if kind != sort.value or read is None or not (is_storable and in_range):
        raise InvalidInput(
            "this cursor is of a list in another order", hint="Keep `sort` as it was on the page before."
        )
    assert isinstance(read, datetime | str | int) and isinstance(number, int)
    return After(read, number)


@router.get(
    "/popular",
    summary="What people read most",
    response_description="The files, most requests first.",
    responses=responses(401, 403, 422, 429, 503),
)
async def popular(
    request: Request,
    caller: FilesReader,
    days: Annotated[int, Query(ge=1, le=365, description="How many days back, today included.")] = 30,
    limit: Annotated[int, Query(ge=1, le=100, description="How many files at most.")] = 10,
) -> Answer[list[PopularFile]]:
    """Your files that the gateway served most often."""
    files: FilesService = request.app.state.services.files
    return Answer(
        success=True, data=[PopularFile.of(one, _gateway(request)) for one in await files.popular(caller, days, limit)]
    )


@router.get(
    "/stats",
    summary="Files in numbers",
    response_description="The numbers.",
    responses=responses(401, 403, 429, 503),
)
async def stats(request: Request, caller: FilesReader) -> Answer[Stats]:
    """All your files in numbers, by content type."""
    files: FilesService = request.app.state.services.files
    return Answer(success=True, data=Stats.of(await files.stats(caller)))


@router.post(
    "/missing",
    summary="Which blocks have to be sent",
    response_description="Those that are not here.",
    responses=responses(400, 401, 403, 413, 422, 429, 503),
)
async def missing(request: Request, caller: FilesReader, question: MissingQuestion) -> Answer[Missing]:
    """Says which blocks are not below your own files and pins, so that a CAR needs to hold just these.

    What others keep does not matter for the answer: nobody can find out by this what is here.
    """
    files: FilesService = request.app.state.services.files
    spelled: dict[CID, str] = {}
    for text in question.cids:
        spelled.setdefault(CID.parse(text), text)
    root = None if question.root is None else CID.parse(question.root)
    lacking = await files.missing(caller, list(spelled), root)
    return Answer(success=True, data=Missing(missing=[spelled[cid] for cid in lacking]))


@router.post(
    "/batch/delete",
    summary="Delete many files",
    response_description="What became of each.",
    responses=responses(400, 401, 403, 413, 422, 429, 503),
)
async def batch_delete(request: Request, caller: FilesWriter, batch: BatchDelete) -> Answer[Batch]:
    """Deletes up to 1,000 files in one step, as each would be by itself."""
    files: FilesService = request.app.state.services.files
    gone = await files.delete_many(caller, list(dict.fromkeys(batch.ids)))
    results = [BatchItem(id=one, status="deleted" if one in gone else "not_found") for one in batch.ids]
    return Answer(success=True, data=Batch(done=len(gone), results=results))


@router.post(
    "/batch/tag",
    summary="Tag many files",
    response_description="What became of each.",
    responses=responses(400, 401, 403, 413, 422, 429, 503),
)
async def batch_tag(request: Request, caller: FilesWriter, batch: BatchTag) -> Answer[Tagged]:
    """Tags up to 1,000 files, and takes tags off, in one step: where one would have too many, none is changed."""
    files: FilesService = request.app.state.services.files
    wish = Edit(add_tags=tuple(batch.add), remove_tags=tuple(batch.remove))
    changed = await files.edit_many(caller, list(dict.fromkeys(batch.ids)), wish)
    results = [TaggedItem(id=one, status="updated" if one in changed else "not_found") for one in batch.ids]
    return Answer(success=True, data=Tagged(done=len(changed), results=results))


@router.get(
    "/{id}",
    summary="Look at a file",
    response_description="The file.",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def get_file(request: Request, caller: FilesReader, id: FileKey) -> Answer[File]:
    """One file, with where its pin stands; by a CID, the newest of your files with it."""
    files: FilesService = request.app.state.services.files
    file = File.of(await files.get(caller, id), _gateway(request))
    said = await why_queued(request, file.pinStatus, file.pinError, "pinError")
    return Answer(success=True, data=file.model_copy(update=said))


@router.patch(
    "/{id}",
    summary="Change a file's record",
    response_description="The file as it is now.",
    responses=responses(400, 401, 403, 404, 413, 422, 429, 503),
)
async def edit_file(request: Request, caller: FilesWriter, id: FileKey, edit: FileEdit) -> Answer[File]:
    """Changes the name, the tags, the metadata or the project; the content never changes.

    By a CID that several of your files have, the newest of them is changed.
    """
    files: FilesService = request.app.state.services.files
    wish = Edit(
        name=edit.name,
        tags=edit.tags,
        meta=edit.metadata,
        project_id=edit.project_id,
        leave_project="project_id" in edit.model_fields_set and edit.project_id is None,
    )
    return Answer(success=True, data=File.of(await files.edit(caller, id, wish), _gateway(request)))


@router.delete(
    "/{id}",
    summary="Delete a file",
    response_description="It is gone.",
    responses=responses(401, 403, 404, 422, 429, 503),
)
async def delete_file(request: Request, caller: FilesWriter, id: FileKey) -> Answer[Deleted]:
    """Forgets the file; by a CID, all your files with it, whatever their names: `ids` has each.

    To delete one name of a content and keep the others, use the file's `id`.
    The content is unpinned where no other file and no pin request of anybody needs it.  Files belong to the
    organisation, not to who uploaded them: any of its tokens with `files:write` may delete any of them.
    The bytes stay on the disk, and can be had from the gateway, until the operator runs `pinfold repo gc`.
    """
    files: FilesService = request.app.state.services.files
    gone = await files.delete(caller, id)
    return Answer(success=True, data=Deleted(id=gone[0], ids=gone))

"""Uploads: forms, raw bodies and CARs, read as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.requests import ClientDisconnect

from pinfold.api import texts
from pinfold.api.auth import FilesWriter, confirm
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.multipart import PartBegin, PartData, parse, usable_type
from pinfold.api.pace import body_of
from pinfold.api.v1.file_schema import UploadAnswer, UploadedFile
from pinfold.api.v1.upload_fields import MAX_FIELD_BYTES, Fields, checked_name
from pinfold.core.errors import InvalidInput, PayloadTooLarge
from pinfold.services.accounts import Caller, Scope
from pinfold.services.files import FileRecord, FilesService, Receiving, room_for
from pinfold.services.files.model import SEND_IN_PARTS, Wish

router = APIRouter(prefix="/api/v1/files", tags=["files"])

_FILE_FIELDS: Final = ("file", "file[]")
_FILES_OF_WIDGETS: Final = ("files", "files[]", "upload", "upload[]", "qqfile", "filepond")
"""Fields in which widgets send files unless they are told otherwise; some send a text beside it in the same one."""
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
_CAR_TYPE: Final = "application/vnd.ipld.car"
_CAR_AS_BODY: Final = f"With curl: --data-binary @x.car -H 'Content-Type: {_CAR_TYPE}', and no -F."
_STORED: Final = "Stored; the pins are queued."
_AGAIN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "All of it is among your files already; `duplicate` is `updated`."}
}
_REFUSALS: Final = (400, 401, 403, 404, 408, 409, 413, 422, 429, 503, 507)

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
                            "description": "A file; repeat the field for several.  File names with slashes, such as "
                            "`photos/2026/a.jpg`, make one folder of all of them, named by their first part.",
                            "type": "array",
                            "items": {"type": "string", "format": "binary"},
                        },
                        "name": {"type": "string", "description": "Another name, for one file or folder."},
                        "tags": {
                            "type": "array",
                            "items": {"type": "string"},
                            "description": "Tags: repeat the field, or write several with commas or as a JSON list.",
                        },
                        "metadata": {"type": "string", "description": "A JSON object of strings."},
                        "project_id": {"type": "string", "description": "A project of your organisation."},
                        "tier": {"type": "string", "description": "`critical`, `important`, `standard`, `ephemeral`."},
                        "replication_factor_min": {"type": "integer", "description": "The least copies."},
                        "replication_factor_max": {"type": "integer", "description": "Copies that are wanted."},
                        "profile": {
                            "type": "string",
                            "description": "`unixfs-v1-2025` or `unixfs-v0-2015`; it comes before the files.",
                        },
                    },
                }
            }
        },
    }
}


def _binary(content_type: str) -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


def query_fields(
    request: Request,
    tags: Annotated[list[str] | None, Query(description="Tags; repeat it, or write several with commas.")] = None,
    metadata: Annotated[str | None, Query(description="A JSON object of strings.")] = None,
    project_id: Annotated[str | None, Query(description="A project of your organisation.")] = None,
    tier: Annotated[
        str | None, Query(description="How many copies it is worth: critical, important, standard, ephemeral.")
    ] = None,
    replication_factor_min: Annotated[str | None, Query(description="The least copies.")] = None,
    replication_factor_max: Annotated[str | None, Query(description="Copies that are wanted.")] = None,
) -> Fields:
    """What the query says of an upload.  Raises: InvalidInput."""
    _require_utf8("query", request.scope["query_string"])
    given = {
        "metadata": metadata,
        "project_id": project_id,
        "tier": tier,
        "replication_factor_min": replication_factor_min,
        "replication_factor_max": replication_factor_max,
    }
    pairs = [("tags", one) for one in tags or []] + [(key, text) for key, text in given.items() if text is not None]
    return Fields.of(pairs)


QueryFields = Annotated[Fields, Depends(query_fields)]


@router.post(
    "/upload",
    status_code=201,
    summary="Upload files",
    response_description=_STORED,
    responses={**responses(*_REFUSALS), **_AGAIN},
    openapi_extra=_FORM,
)
async def upload(request: Request, response: Response, caller: FilesWriter) -> UploadAnswer:
    """Stores the files and queues their pins.  `data` is the file, or a list of them where several were sent.

    All files of a request are kept, or none: a form that is cut off or malformed, or whose sender has gone before the
    answer, leaves nothing.  A form has up to 10,000 files, or a folder of 100,000.  Each file may have up to 100 MiB (a
    setting); larger ones come by `/files/tus`.

    A file's name is kept as it was sent (`filename*` of RFC 5987 before `filename`), or refused.  Fields that upload
    widgets send beside a file and that mean nothing here are ignored, and named in `ignored_fields` beside `data`.
    A field that is nearly one of ours is refused, as is a form that carries one of several chunks of a file.
    """
    refuse_part(request)
    limit: int = request.app.state.max_request_bytes
    length = _length(request)
    if length is not None and length > limit:
        raise PayloadTooLarge(
            f"the request has {length:,} bytes; this server takes {limit:,} in one", hint=SEND_IN_PARTS
        )
    files: FilesService = request.app.state.services.files
    content_type = request.headers.get("content-type", "")
    async with await files.receive(caller, room_for(length, is_form=True)) as receiving:
        fields = Fields()
        await _take_form(files, caller, receiving, fields, parse(content_type, _bounded(body_of(request), limit)))
        return _answer(request, response, await _recorded(request, receiving, fields.wish()), fields.ignored)


async def _take_form(
    files: FilesService, caller: Caller, receiving: Receiving, fields: Fields, events: AsyncIterator[Any]
) -> None:
    field = ""  # the one that is being read; empty while it is a file
    text = bytearray()
    async for event in events:
        if isinstance(event, PartBegin):
            is_file = event.field in _FILE_FIELDS or (event.field in _FILES_OF_WIDGETS and event.filename is not None)
            field = "" if is_file else event.field or "(without a name)"
            if not field:
                if not receiving.has_files:
                    await files.check(caller, fields.wish())
                await _begin_file(receiving, event, fields)
            elif event.filename is not None:
                raise InvalidInput(f"the form has a file in the field {event.field[:40]!r}; files come as 'file'")
        elif isinstance(event, PartData):
            if not field:
                await receiving.write(event.data)
            elif len(text) + len(event.data) > MAX_FIELD_BYTES:
                raise InvalidInput(f"the field {field[:40]!r} is longer than {MAX_FIELD_BYTES:,} bytes")
            else:
                text += event.data
        elif not field:
            receiving.end()
        else:
            if field == "profile" and receiving.has_files:
                raise InvalidInput("profile comes before the files: it says how they are cut while they come")
            if not fields.ignores(field, bytes(text)):
                fields.add(field, _utf8(field, bytes(text)))
            text.clear()


async def _begin_file(receiving: Receiving, event: PartBegin, fields: Fields) -> None:
    if event.path:
        await receiving.begin_in_folder(event.path, fields.profile())
    else:
        await receiving.begin(event.filename or "", event.content_type, fields.profile())


def _utf8(field: str, value: bytes) -> str:
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise InvalidInput(f"the field {field[:40]!r} is no text")
    return text


@router.put(
    "/{id}",  # a path has one name for its parameter, whatever the method
    status_code=201,
    summary="Upload one file as it is",
    response_description=_STORED,
    responses={**responses(*_REFUSALS), **_AGAIN},
    openapi_extra=_binary("application/octet-stream"),
)
async def put(
    request: Request,
    response: Response,
    caller: FilesWriter,
    fields: QueryFields,
    name: Annotated[str, Path(alias="id", max_length=255, description="The file's name.", examples=["hello.txt"])],
    profile: Annotated[str | None, Query(description="`unixfs-v1-2025` or `unixfs-v0-2015`.")] = None,
) -> Answer[UploadedFile]:
    """Stores the body as one file: `curl -T hello.txt …/api/v1/files/hello.txt`.

    A request with `Content-Range`, as `curl -C` sends it, is refused (400): it carries a part of a file.
    """
    refuse_part(request)
    _require_utf8("name", request.scope.get("raw_path") or b"")
    name = checked_name(name)
    if profile is not None:
        fields.add("profile", profile)
    files: FilesService = request.app.state.services.files
    limit, length = files.max_file_bytes, _length(request)
    if length is not None and length > limit:
        raise PayloadTooLarge(
            f"{name} has {length:,} bytes; this server takes {limit:,} in one upload", hint=SEND_IN_PARTS
        )
    wish = fields.wish()
    await files.check(caller, wish)
    async with await files.receive(caller, room_for(length, is_form=False)) as receiving:
        await receiving.begin(name, _content_type(request), fields.profile())
        async for chunk in _bounded(body_of(request), limit):
            await receiving.write(chunk)
        receiving.end()
        (record,) = await _recorded(request, receiving, wish)
    _say_whether_new(response, [record])
    return Answer(success=True, data=UploadedFile.of(record, request.app.state.gateway_url))


@router.post(
    "/car",
    status_code=201,
    summary="Upload a CAR",
    response_description=_STORED,
    responses={**responses(*_REFUSALS), **_AGAIN},
    openapi_extra=_binary(_CAR_TYPE),
)
async def upload_car(
    request: Request,
    response: Response,
    caller: FilesWriter,
    fields: QueryFields,
    name: Annotated[str | None, Query(max_length=255, description="A name, for a CAR with one root.")] = None,
) -> UploadAnswer:
    """Stores the blocks of a CAR (version 1 or 2), each checked against its CID, and makes a file of each root.

    What the CAR lacks must be below your own files and pins already: `/files/missing` says what has to be sent.  An
    incomplete DAG is refused with the CIDs that are missing, and nothing is kept.  The CAR is the body itself: a form
    that has it in a field is refused.
    """
    refuse_part(request)
    if request.headers.get("content-type", "").strip().lower().startswith("multipart/"):
        raise InvalidInput("this is a form; a CAR is sent as the body itself", hint=_CAR_AS_BODY)
    if name:
        fields.add("name", name)
    wish = fields.wish()
    files: FilesService = request.app.state.services.files
    await files.check(caller, wish)
    async with await files.receive(caller, room_for(_length(request), is_form=False)) as receiving:
        await receiving.begin_car(_length(request))
        async for chunk in body_of(request):
            await receiving.write(chunk)
        return _answer(request, response, await _recorded(request, receiving, wish))


async def _recorded(request: Request, receiving: Receiving, wish: Wish) -> list[FileRecord]:
    """Records of what came.

    Raises:  ClientDisconnect, where nobody is there any more to be told of them; Unauthorised and Forbidden, where the
             token was taken away while it came.
    """
    await receiving.finish()
    await confirm(request, Scope.FILES_WRITE)
    if await request.is_disconnected():
        raise ClientDisconnect
    return await receiving.record(wish)


def _answer(
    request: Request, response: Response, records: list[FileRecord], ignored: Sequence[str] = ()
) -> UploadAnswer:
    _say_whether_new(response, records)
    answers = [UploadedFile.of(record, request.app.state.gateway_url) for record in records]
    data = answers[0] if len(answers) == 1 else answers
    return UploadAnswer(success=True, data=data, ignored_fields=list(ignored))


def _say_whether_new(response: Response, records: list[FileRecord]) -> None:
    if all(record.duplicate == "updated" for record in records):
        response.status_code = 200


def refuse_part(request: Request) -> None:
    """Raises:  InvalidInput for a request that carries a part of a file, which would be stored as the whole.

    Source:  RFC 9110, 14.4: a server that does not support it for PUT answers 400.
    """
    if "content-range" in request.headers:
        raise InvalidInput(
            "Content-Range: an upload carries a whole file; nothing was stored",
            hint="Send a file in parts by /api/v1/files/tus.",
        )


def _length(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdigit() and len(length) < 20 else None


def _require_utf8(what: str, sent: bytes) -> None:
    try:
        texts.check_encoded(sent)
    except ValueError as exc:
        raise InvalidInput(f"{what}: {exc}") from None


def _content_type(request: Request) -> str:
    given = usable_type(request.headers.get("content-type", ""))
    return "" if given.lower() == _FORM_TYPE else given  # what curl --data-binary sends where nothing is said


async def _bounded(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in body:
        received += len(chunk)
        if received > limit:
            raise PayloadTooLarge(f"the request has more than {limit:,} bytes", hint=SEND_IN_PARTS)
        yield chunk

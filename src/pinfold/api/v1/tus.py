"""Resumable uploads by the tus protocol, version 1.0.0, with the extensions that ``EXTENSIONS`` names.

Source:  tus.io/protocols/resumable-upload, 1.0.x.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Awaitable, Callable, Coroutine
from email.utils import format_datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from pinfold.api import errors
from pinfold.api.auth import FilesReader, FilesWriter, confirm
from pinfold.api.envelope import Answer
from pinfold.api.errors import responses
from pinfold.api.multipart import usable_type
from pinfold.api.pace import body_of
from pinfold.api.v1.file_schema import Upload
from pinfold.api.v1.upload_fields import FIELDS, Fields, checked_name
from pinfold.api.v1.uploads import refuse_part
from pinfold.core.errors import InvalidInput, PinfoldError
from pinfold.services.accounts import Caller, Scope
from pinfold.services.files.resumable import CHECKSUMS, Checksum, NewUpload, ResumableUpload, ResumableUploads

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,concatenation"
PATH: Final = "/api/v1/files/tus"
_BYTES: Final = "application/offset+octet-stream"
_MAX_LENGTH: Final = 1 << 53
_READ: Final = frozenset((*FIELDS, "filename", "filetype"))
_PLACE: Final = re.compile(r"(?:https?://[^/\s]+)?/\S*files/tus/([0-9a-f-]{1,64})/?")
_VERSION_HEADER: Final = {"Tus-Version": VERSION}


class TusRoute(APIRoute):
    """A route whose every answer, a refusal too, says the protocol's version."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler; refusals become answers here already, since they need the header as well."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except PinfoldError as exc:
                status = errors.STATUS[type(exc)]
                if status >= 500:
                    raise
                response = errors.answer(request, status, str(exc), exc.code, exc.hint or None)
            except HTTPException as exc:
                response = errors.answer(
                    request, exc.status_code, exc.detail, _CODES.get(exc.status_code, "HTTP_ERROR")
                )
                response.headers.update(exc.headers or {})
            response.headers["Tus-Resumable"] = VERSION
            return response

        return answer


_CODES: Final = {412: "TUS_VERSION", 415: "WRONG_TYPE"}


async def _speak_the_same(request: Request, caller: FilesWriter) -> Caller:
    """Whoever may write and speaks this version: strangers are not told of it.  Raises: HTTPException."""
    if request.headers.get("tus-resumable") != VERSION:
        raise HTTPException(412, f"Tus-Resumable has to be {VERSION}", _VERSION_HEADER)
    return caller


Uploader = Annotated[Caller, Depends(_speak_the_same)]

router = APIRouter(prefix=PATH, tags=["files"], route_class=TusRoute)
UploadId = Annotated[str, Path(pattern=r"^[0-9a-f-]{1,64}$", description="The upload's id, from its Location.")]


def _header(name: str, description: str, required: bool = False, **schema: Any) -> dict[str, Any]:
    wanted = {"type": "string", **schema}
    return {"name": name, "in": "header", "required": required, "description": description, "schema": wanted}


_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": _MAX_LENGTH}
_VERSIONED: Final = _header("Tus-Resumable", f"`{VERSION}`.", required=True, enum=[VERSION])
_OFFSET: Final = _header("Upload-Offset", "How many bytes are here already.", required=True, **_COUNT, examples=[0])
_LENGTH_LATER: Final = _header("Upload-Length", "Bytes of the whole file, where that was deferred.", False, **_COUNT)
_CHECKSUM: Final = _header("Upload-Checksum", "`sha1`, `sha256` or `md5`, a space, the digest in base64.")
_BODY: Final[dict[str, Any]] = {"content": {_BYTES: {"schema": {"type": "string", "format": "binary"}}}}


@router.options(
    "",
    response_class=Response,
    status_code=204,
    summary="What resumable uploads can do",
    response_description="In headers: Tus-Version, Tus-Extension, Tus-Checksum-Algorithm, "
    "and Tus-Max-Size where there is a limit.",
)
async def tus_options(request: Request) -> Response:
    """Says which version of the protocol is spoken, and what of it; clients ask before they have a token."""
    uploads = _uploads(request)
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Checksum-Algorithm": ",".join(CHECKSUMS),
    }
    if uploads.max_bytes:
        headers["Tus-Max-Size"] = str(uploads.max_bytes)
    return Response(status_code=204, headers=headers)


@router.post(
    "",
    response_class=Response,
    status_code=201,
    summary="Begin a resumable upload",
    response_description="Begun; `Location` is where its bytes go.",
    responses=responses(400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 460, 503, 507),
    openapi_extra={
        "parameters": [
            _VERSIONED,
            _header("Upload-Length", "Bytes of the whole file.", False, **_COUNT, examples=[12]),
            _header("Upload-Defer-Length", "`1` in its place: a later PATCH says Upload-Length.", enum=["1"]),
            _header(
                "Upload-Concat",
                "`partial` for a part of a file; `final;` and the Locations of complete parts, with spaces between, "
                "for the file of them.",
            ),
            _header(
                "Upload-Metadata",
                "Pairs of a key and its value in base64, between commas: `filename`, `filetype`, "
                + ", ".join(f"`{field}`" for field in FIELDS)
                + ".  Other keys may have any bytes as their value; all come back by HEAD.",
            ),
            _CHECKSUM,
        ],
        "requestBody": _BODY,
    },
)
async def tus_create(request: Request, caller: Uploader) -> Response:
    """Begins an upload of any size, whose room in the quota is taken at once.  Its first bytes may come with it."""
    refuse_part(request)
    uploads = _uploads(request)
    if parts := _parts(request):
        upload = await uploads.join(caller, _new(request, is_final=True), parts, _confirmed(request))
    else:
        upload = await uploads.create(caller, _new(request))
    headers = {"Location": f"{PATH}/{upload.id}", **_told(upload)}
    if request.headers.get("content-type", "") == _BYTES and upload.file_id is None:
        upload = await uploads.append(caller, upload.id, 0, body_of(request), _checksum(request), _confirmed(request))
        headers.update(_told(upload))
    return Response(status_code=201, headers=headers)


@router.head(
    "/{id}",
    response_class=Response,
    summary="How far a resumable upload has come",
    response_description="In headers: Upload-Offset, Upload-Length or Upload-Defer-Length, Upload-Concat, "
    "Upload-Metadata, Upload-Expires.",
    responses=responses(401, 403, 404, 410, 412, 422, 429),
    openapi_extra={"parameters": [_VERSIONED]},
)
async def tus_head(request: Request, caller: Uploader, id: UploadId) -> Response:
    """Says how many bytes are here, durably: the next ones go on there."""
    upload = await _uploads(request).get(caller, id)
    headers = {"Cache-Control": "no-store", **_told(upload)}
    if upload.length_bytes is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(upload.length_bytes)
    if upload.concat:
        headers["Upload-Concat"] = upload.concat
    if upload.sent:
        headers["Upload-Metadata"] = upload.sent
    return Response(status_code=200, headers=headers)


@router.patch(
    "/{id}",
    response_class=Response,
    status_code=204,
    summary="Send bytes of a resumable upload",
    response_description="Here, durably; `Pinfold-File-Id` names the file, once it is complete.",
    responses=responses(400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 423, 429, 460, 503, 507),
    openapi_extra={
        "parameters": [_VERSIONED, _OFFSET, _LENGTH_LATER, _CHECKSUM],
        "requestBody": {"required": True, **_BODY},
    },
)
async def tus_append(request: Request, caller: Uploader, id: UploadId) -> Response:
    """Adds bytes where the upload stands; the last ones make it a file, stored and with its pin queued.

    Their `Content-Type` is `application/offset+octet-stream`; with any other the answer is 415.
    """
    if request.headers.get("content-type", "") != _BYTES:
        raise HTTPException(415, f"the Content-Type of bytes is {_BYTES}")
    offset = _number(request, "upload-offset")
    uploads = _uploads(request)
    length = _number(request, "upload-length") if "upload-length" in request.headers else None
    upload = await uploads.append(caller, id, offset, body_of(request), _checksum(request), _confirmed(request), length)
    return Response(status_code=204, headers=_told(upload))


@router.delete(
    "/{id}",
    response_class=Response,
    status_code=204,
    summary="Give up a resumable upload",
    response_description="Its bytes are gone; a file that it became stays.",
    responses=responses(401, 403, 404, 410, 412, 422, 423, 429),
    openapi_extra={"parameters": [_VERSIONED]},
)
async def tus_remove(request: Request, caller: Uploader, id: UploadId) -> Response:
    """Removes the bytes and gives their room in the quota back."""
    await _uploads(request).remove(caller, id)
    return Response(status_code=204)


@router.post(
    "/{id}",
    response_class=Response,
    summary="The same for clients that can only GET and POST",
    response_description="As of the method that X-HTTP-Method-Override names.",
    responses={
        204: {"description": "As of PATCH or DELETE."},
        **responses(400, 401, 403, 404, 408, 409, 410, 412, 413, 415, 422, 423, 429, 460, 503, 507),
    },
    openapi_extra={
        "parameters": [
            _VERSIONED,
            _header(
                "X-HTTP-Method-Override",
                "`PATCH`, `HEAD` or `DELETE`.",
                required=True,
                enum=["PATCH", "HEAD", "DELETE"],
                examples=["HEAD"],
            ),
        ],
        "requestBody": _BODY,
    },
)
async def tus_override(request: Request, caller: Uploader, id: UploadId) -> Response:
    """Does what the header X-HTTP-Method-Override says."""
    method = request.headers.get("x-http-method-override", "").upper()
    methods = {"PATCH": tus_append, "HEAD": tus_head, "DELETE": tus_remove}
    if method not in methods:
        raise InvalidInput("X-HTTP-Method-Override has to be PATCH, HEAD or DELETE")
    return await methods[method](request, caller, id)


@router.get(
    "/{id}",
    response_model=Answer[Upload],
    summary="Look at a resumable upload",
    response_description="The upload.",
    responses=responses(401, 403, 404, 410, 422, 429),
)
async def tus_get(request: Request, caller: FilesReader, id: UploadId) -> JSONResponse:
    """The upload as JSON; `file_id` names the file that it has become."""
    upload = await _uploads(request).get(caller, id)
    answer = Answer(success=True, data=Upload.of(upload))
    return JSONResponse(answer.model_dump(mode="json"))


def _uploads(request: Request) -> ResumableUploads:
    uploads: ResumableUploads = request.app.state.services.resumable
    return uploads


def _confirmed(request: Request) -> Callable[[], Awaitable[None]]:
    return lambda: confirm(request, Scope.FILES_WRITE)


def _told(upload: ResumableUpload) -> dict[str, str]:
    headers = {"Upload-Offset": str(upload.offset_bytes)}
    if upload.file_id is not None:
        headers["Pinfold-File-Id"] = upload.file_id
    else:
        headers["Upload-Expires"] = format_datetime(upload.expires_at, usegmt=True)
    return headers


def _new(request: Request, *, is_final: bool = False) -> NewUpload:
    sent = request.headers.get("upload-metadata", "")
    said = _metadata(sent)
    fields = Fields.of((key, text) for key, text in said.items() if key in FIELDS)
    name = said.get("filename", "")
    concat = request.headers.get("upload-concat", "")
    return NewUpload(
        length_bytes=_length(request, is_final=is_final),
        name=checked_name(name) if name else "",
        content_type=usable_type(said.get("filetype", "")),
        wish=fields.wish(),
        profile=fields.profile(),
        sent=sent,
        concat=concat,
        is_partial=bool(concat) and not is_final,
    )


def _length(request: Request, *, is_final: bool) -> int | None:
    """The length of a new upload; None where it is said later, or is that of its parts.  Raises: InvalidInput."""
    deferred = request.headers.get("upload-defer-length")
    if is_final:
        if "upload-length" in request.headers or deferred is not None:
            raise InvalidInput("a final upload has the length of its parts: send no Upload-Length")
        return None
    if deferred is None:
        return _number(request, "upload-length")
    if deferred != "1" or "upload-length" in request.headers:
        raise InvalidInput("send either Upload-Length or Upload-Defer-Length, and that is 1")
    return None


def _parts(request: Request) -> list[str]:
    """The ids of the partial uploads that a final one joins; empty for any other.  Raises: InvalidInput."""
    concat = request.headers.get("upload-concat")
    if concat is None or concat == "partial":
        return []
    kind, _, places = concat.partition(";")
    found = [_PLACE.fullmatch(place) for place in places.split()]
    ids = [match[1] for match in found if match is not None]
    if kind != "final" or not ids or len(ids) != len(found):
        raise InvalidInput("Upload-Concat has to be `partial`, or `final;` and the Locations of partial uploads")
    return ids


def _metadata(header: str) -> dict[str, str]:
    """Keys that are read here, and their texts; a key without a value has an empty one.

    Values of other keys may be any bytes: they are kept as they were sent, with the whole header.
    Raises:  InvalidInput.
    """
    said: dict[str, str] = {}
    seen: set[str] = set()
    for pair in filter(None, map(str.strip, header.split(","))):
        key, _, value = pair.partition(" ")
        if key in seen:
            raise InvalidInput(f"Upload-Metadata: the key {key[:40]!r} comes twice")
        seen.add(key)
        try:
            data = base64.b64decode(value.strip(), validate=True)
            text = data.decode("utf-8") if key in _READ else ""
        except (binascii.Error, UnicodeDecodeError):
            raise InvalidInput(f"Upload-Metadata: the value of {key[:40]!r} is no text in base64") from None
        if "\0" in text:
            raise InvalidInput(f"Upload-Metadata: the value of {key[:40]!r} holds a NUL character")
        if key in _READ:
            said[key] = text
    return said


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > _MAX_LENGTH:
        raise InvalidInput(f"{header.title()} has to be a number of bytes")
    return int(text)


def _checksum(request: Request) -> Checksum | None:
    header = request.headers.get("upload-checksum")
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    if algorithm not in CHECKSUMS:
        raise InvalidInput(f"Upload-Checksum: {algorithm[:40]!r} is none of {', '.join(CHECKSUMS)}")
    try:
        digest = base64.b64decode(value, validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise InvalidInput(f"Upload-Checksum: what follows {algorithm} is no such digest in base64")
    return Checksum(algorithm, digest)

"""One request's uploads: room is reserved before bytes come, and all of it is recorded or nothing is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final

from pinfold.core.errors import InvalidInput, UploadStalled
from pinfold.services.accounts import Caller
from pinfold.services.files.intake import AnyUpload, CarUpload
from pinfold.services.files.model import FileRecord, Stored, Wish
from pinfold.services.files.several import FilesUpload, FolderUpload
from pinfold.services.files.slots import LEAST_BYTES_PER_S_CONTENDED
from pinfold.services.limits import Reservation
from pinfold.unixfs.profile import Profile

if TYPE_CHECKING:
    from pinfold.services.files.service import FilesService

_ONE_FOLDER: Final = "a form has files or one folder, not both"
_SEPARATELY: Final = "Send what is not in the folder by itself."
MOST_FILES: Final = 10_000
"""Files that one form takes: they are recorded in one transaction, and nobody else's write comes between."""
_FORM_BYTES: Final = 4096  # of a form's length that need not be its files'


class Receiving:
    """Takes the bytes of one request; a context manager that gives everything up unless ``record`` was reached."""

    def __init__(self, files: FilesService, caller: Caller, room: Reservation, reserved_bytes: int) -> None:
        self._files = files
        self._caller = caller
        self._room = room
        self._reserved_bytes = reserved_bytes
        self._received_bytes = 0
        self._upload: AnyUpload | None = None
        self._folder_name = ""
        self._stored: list[Stored] = []
        self._recorded = False

    @property
    def has_files(self) -> bool:
        """Whether a file has begun."""
        return self._upload is not None

    async def begin(self, name: str, content_type: str, profile: Profile | None) -> None:
        """The next file.  Raises: InvalidInput, QuotaExceeded, and what the node raised, such as StoreFull."""
        if self._upload is None:
            self._upload = await self._files.intake.open_files(self._caller.organisation_id, profile)
        elif isinstance(self._upload, FilesUpload):
            if self._upload.count >= MOST_FILES:
                raise InvalidInput(
                    f"a form takes {MOST_FILES:,} files",
                    hint="Send several forms, or a folder (file names with slashes), which has no such limit.",
                )
            await self._room.grow(0, more_files=1)
        else:
            raise InvalidInput(_ONE_FOLDER, hint=_SEPARATELY)
        await self._upload.begin(name, content_type)

    async def begin_in_folder(self, path: Sequence[str], profile: Profile | None) -> None:
        """The next file of the folder that the first part of every path names.  Raises: InvalidInput."""
        if self._upload is None:
            self._upload = await self._files.intake.open_folder(self._caller.organisation_id, path[0], profile)
            self._folder_name = path[0]
        elif not isinstance(self._upload, FolderUpload):
            raise InvalidInput(_ONE_FOLDER, hint=_SEPARATELY)
        elif path[0] != self._folder_name:
            raise InvalidInput(
                f"all paths of a form begin with one folder: {self._folder_name!r} and {path[0]!r} are two"
            )
        await self._upload.begin(path[1:])

    async def begin_car(self, announced_bytes: int | None) -> None:
        """A CAR, which what the caller keeps already may complete.  Raises: PayloadTooLarge, before it is read."""
        self._upload = await self._files.open_car(self._caller, announced_bytes)

    async def write(self, data: bytes) -> None:
        """More of what was begun last.  Raises: PayloadTooLarge, QuotaExceeded, StoreFull, MalformedCar and its kin."""
        self._received_bytes += len(data)
        if self._received_bytes > self._reserved_bytes:
            more = self._received_bytes - self._reserved_bytes
            await self._room.grow(more)
            self._reserved_bytes = self._received_bytes
        upload = self._begun()
        with self._files.intake.slots.at_work(self._caller.organisation_id, len(data)):
            await upload.write(data)

    def end(self) -> None:
        """What was begun last is whole; more may follow, but not after a CAR."""
        upload = self._begun()
        if not isinstance(upload, CarUpload):
            upload.end()

    async def finish(self) -> None:
        """Nothing more comes: have all of it stored and pinned durably.

        Raises:  InvalidInput where nothing came; what the node raised, such as StoreFull and MalformedCar.
        """
        if self._upload is None:
            raise InvalidInput("there is no file in the request", hint="curl -F file=@photo.jpg …")
        with self._files.intake.slots.at_work(self._caller.organisation_id):
            self._stored = await self._upload.finish()

    def _begun(self) -> AnyUpload:
        assert self._upload is not None, "something is begun first"
        return self._upload

    async def record(self, wish: Wish) -> list[FileRecord]:
        """Records of all that came and is stored.

        Raises:  InvalidInput where one name is for several; what ``FilesService.record`` raises.
        """
        records = await self._files.record(self._caller, self._stored, wish, self._room.id)
        self._recorded = True
        self._room.settled()
        return records

    async def __aenter__(self) -> Receiving:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._recorded:
            return
        holder = self._files.intake.slots.holder
        try:
            if self._upload is not None:
                await self._files.give_up(self._upload)
        finally:
            await self._room.release()
        if holder is not None and holder.is_preempted and holder.task is not None and kind is asyncio.CancelledError:
            holder.task.uncancel()
            raise UploadStalled(
                f"the upload lost its place: others wait, and less than {LEAST_BYTES_PER_S_CONTENDED >> 10} KiB/s came"
            ) from None


def room_for(length: int | None, is_form: bool) -> int:
    """Bytes to reserve for a request whose body has ``length`` bytes; None is unknown, and then it grows."""
    if length is None:
        return 0
    return max(0, length - _FORM_BYTES) if is_form else length

"""What can be done with files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from pinfold.core.cid import CID
from pinfold.core.errors import FileRecordNotFound
from pinfold.db import Database, files, reconciliations
from pinfold.db.files import NewFile
from pinfold.services.clock import Clock, utc_now
from pinfold.services.files.intake import Intake, Upload
from pinfold.services.files.model import FileRecord, FilesPage, Stored
from pinfold.services.pins.locks import CIDLocks
from pinfold.services.pins.model import root_of


class FilesService:
    """Uploads and their records."""

    def __init__(
        self,
        database: Database,
        intake: Intake,
        locks: CIDLocks,
        wake_worker: Callable[[], None],
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._intake = intake
        self._locks = locks
        self._wake_worker = wake_worker
        self._clock = clock

    async def open_upload(self, name: str, content_type: str) -> Upload:
        """A writer for one file; finish it and ``record`` what it gives, or ``give_up``."""
        return await self._intake.open(name, content_type)

    async def record(self, stored: Sequence[Stored]) -> list[FileRecord]:
        """Records of the files, all or none, their pins queued.

        Raises:  BlockNotFound where a file was deleted and collected since it was stored; repeat the upload.
        """
        async with AsyncExitStack() as held:
            for cid in sorted(
                {one.cid.to_v1() for one in stored}
            ):  # in one order everywhere, so that nobody waits in a ring
                await held.enter_async_context(self._locks.hold(cid))
                await self._intake.make_sure(cid)
            new = [
                NewFile(str(one.cid), root_of(one.cid), one.name, one.size_bytes, one.content_type, one.profile)
                for one in stored
            ]
            rows = await self._database.write(files.insert, new, self._clock())
        self._wake_worker()
        return [FileRecord.of_rows(*row) for row in rows]

    async def give_up(self, uploads: Sequence[Upload]) -> None:
        """Cancel uploads whose request failed; what was pinned already is let go of, unless others want it."""
        cids: list[CID] = []
        for upload in uploads:
            cid = await upload.cancel()
            if cid is not None:
                cids.append(cid)
        for cid in cids:
            await self._database.write(reconciliations.mark_due, root_of(cid), self._clock())
        if cids:
            self._wake_worker()

    async def get(self, file_id: str) -> FileRecord:
        """One file.  Raises: FileRecordNotFound."""
        rows = await self._database.read(files.get, file_id)
        if rows is None:
            raise FileRecordNotFound(f"there is no file {file_id}")
        return FileRecord.of_rows(*rows)

    async def page(self, page: int, limit: int) -> FilesPage:
        """Page ``page`` (from 1) of ``limit`` files, newest first."""
        rows, total = await self._database.read(files.page, (page - 1) * limit, limit)
        return FilesPage(tuple(FileRecord.of_rows(*row) for row in rows), total)

    async def delete(self, file_id: str) -> None:
        """Forget a file; its CID is unpinned where no other file and no pin request needs it.

        Raises:  FileRecordNotFound.
        """
        if not await self._database.write(files.remove, file_id, self._clock()):
            raise FileRecordNotFound(f"there is no file {file_id}")
        self._wake_worker()

"""What can be done with files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta

from pinfold.core.cid import CID
from pinfold.core.errors import FileRecordNotFound, InvalidCID, InvalidInput, RecordNotFound
from pinfold.db import Database, file_lists, file_statistics, files, reconciliations
from pinfold.db.file_filters import After, FileFilter, Sort
from pinfold.db.files import Edit, NewFile
from pinfold.node import Node
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, utc_now
from pinfold.services.files.intake import AnyUpload, CarUpload, Intake, car_too_large
from pinfold.services.files.model import FileRecord, FilesPage, FileStats, Popular, Stored, TypeStats, Wish
from pinfold.services.files.receiving import Receiving
from pinfold.services.files.visibility import Visibility
from pinfold.services.limits import LimitsService
from pinfold.services.pins.locks import CIDLocks
from pinfold.services.pins.model import root_of
from pinfold.services.pins.tiers import Tiers
from pinfold.telemetry import fields, logger, metrics

log = logger("services.files")

_TOGETHER = 500  # roots made due in one transaction, so that others get in between
_MOST_TYPES = 1000  # content types that statistics list; clients choose them, so there is no other bound


class FilesService:
    """Uploads and their records."""

    def __init__(
        self,
        database: Database,
        node: Node,
        intake: Intake,
        locks: CIDLocks,
        limits: LimitsService,
        tiers: Tiers,
        wake_worker: Callable[[], None],
        *,
        max_car_bytes: int = 0,
        clock: Clock = utc_now,
    ) -> None:
        self.intake = intake
        self._database = database
        self._visibility = Visibility(database, node)
        self._locks = locks
        self._limits = limits
        self._tiers = tiers
        self._wake_worker = wake_worker
        self._max_car_bytes = max_car_bytes
        self._clock = clock

    @property
    def max_file_bytes(self) -> int:
        """The largest file of one upload that is not resumable."""
        return self.intake.max_file_bytes

    # -- coming ------------------------------------------------------------------------------------------------------

    async def receive(self, caller: Caller, reserved_bytes: int) -> Receiving:
        """Takes one request's uploads, ``reserved_bytes`` of the quota being theirs.  Raises: QuotaExceeded."""
        room = await self._limits.reserve(caller, reserved_bytes, 1)
        return Receiving(self, caller, room, reserved_bytes)

    async def open_car(self, caller: Caller, announced_bytes: int | None = None) -> CarUpload:
        """A writer for a CAR, which only what ``caller``'s organisation keeps already may complete.

        Raises:  PayloadTooLarge, where the announced length is over the limit already.
        """
        if announced_bytes and self._max_car_bytes and announced_bytes > self._max_car_bytes:
            raise car_too_large(self._max_car_bytes)
        organisation_id = caller.organisation_id
        return await self.intake.open_car(
            organisation_id, lambda: self._visibility.of(organisation_id), self._max_car_bytes
        )

    async def check(self, caller: Caller, wish: Wish) -> None:
        """Make sure, before bytes come, that a wish can be granted.

        Raises:  ReplicationImpossible, InvalidInput, RecordNotFound for a project that is not there.
        """
        await self._tiers.choose(wish.tier, wish.replication_factor_min, wish.replication_factor_max)
        if wish.project_id is not None:
            there = await self._database.of(caller.organisation_id).read(files.project_exists, wish.project_id)
            if not there:
                raise RecordNotFound(f"there is no project {wish.project_id}")

    async def record(
        self, caller: Caller, stored: Sequence[Stored], wish: Wish, reservation_id: str | None = None
    ) -> list[FileRecord]:
        """Records of the files, all or none, their pins queued.

        Raises:  UploadOvertaken where a file was deleted and collected since it was stored; repeat the upload.
                 QuotaExceeded, ReplicationImpossible, InvalidInput, RecordNotFound.
        """
        if wish.name and len(stored) > 1:
            raise InvalidInput("one name is for one file; this request has several")
        chosen = await self._tiers.choose(wish.tier, wish.replication_factor_min, wish.replication_factor_max)
        async with AsyncExitStack() as held:
            cids = sorted({one.cid.to_v1() for one in stored})  # in one order, so that nobody waits in a ring
            for cid in cids:
                await held.enter_async_context(self._locks.hold(cid))
            block_bytes = await self.intake.make_sure(cids)
            new = [
                NewFile(
                    cid=str(one.cid),
                    root=root_of(one.cid),
                    name=wish.name or one.name,
                    size_bytes=one.size_bytes,
                    content_type=one.content_type,
                    profile=one.profile,
                    block_bytes=block_bytes[one.cid.to_v1()],
                    is_folder=one.is_folder,
                    tags=tuple(wish.tags),
                    meta=dict(wish.meta),
                    project_id=wish.project_id,
                    created_by=caller.token_id,
                    tier=None if chosen.tier is None else str(chosen.tier),
                    replication_factor_min=chosen.factor_min,
                    replication_factor_max=chosen.factor_max,
                    has_own_replication=wish.has_replication,
                )
                for one in stored
            ]
            rows = await self._database.of(caller.organisation_id).write(
                files.record, caller.actor, new, reservation_id, self._clock()
            )
        metrics.UPLOADS.inc(len(stored))
        metrics.UPLOADED_BYTES.inc(sum(one.block_bytes for one in new))
        self._wake_worker()
        return [FileRecord.of_rows(*row) for row in rows]

    async def give_up(self, upload: AnyUpload) -> None:
        """Cancel the upload of a request that failed; what was pinned already is let go of, unless others want it."""
        if cids := await upload.cancel():
            log.info("upload given up", **{fields.FILES: len(cids)})
            await self.let_go(cids)

    async def let_go(self, cids: Sequence[CID]) -> None:
        """Have the worker unpin what nobody wants."""
        roots = [root_of(cid) for cid in cids]
        for begin in range(0, len(roots), _TOGETHER):
            due = dict.fromkeys(roots[begin : begin + _TOGETHER], 1)
            await self._database.everybody.write(reconciliations.mark_all_due, due, self._clock())
        if roots:
            self._wake_worker()

    async def missing(self, caller: Caller, cids: Sequence[CID], root: CID | None) -> list[CID]:
        """Those of the blocks that are not here for the caller's organisation, whatever others keep."""
        return await asyncio.to_thread(self._visibility.missing, caller.organisation_id, cids, root)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def get(self, caller: Caller, key: str) -> FileRecord:
        """One file by its id, or the newest by its CID.  Raises: FileRecordNotFound."""
        found = await self._database.of(caller.organisation_id).read(files.find, key, root_named(key))
        if not found:
            raise FileRecordNotFound(f"there is no file {key}")
        return FileRecord.of_rows(*found[0])

    async def page(
        self,
        caller: Caller,
        wanted: FileFilter,
        sort: Sort,
        limit: int,
        *,
        descending: bool = True,
        page: int = 1,
        after: After | None = None,
    ) -> FilesPage:
        """``limit`` files: page ``page`` (from 1), or those behind ``after``."""
        bound = self._database.of(caller.organisation_id)
        offset = 0 if after is not None else (page - 1) * limit
        found = await bound.read(
            file_lists.page, wanted, sort, limit, descending=descending, offset=offset, after=after
        )
        records = tuple(FileRecord.of_rows(*row) for row in found.rows)
        return FilesPage(records, found.total, found.is_exact, found.next_after(sort))

    async def popular(self, caller: Caller, days: int, limit: int) -> list[Popular]:
        """The files that the gateway served most often in the last ``days`` days, today included."""
        since = (self._clock() - timedelta(days=days - 1)).date()
        found = await self._database.of(caller.organisation_id).read(file_statistics.popular, since, limit)
        return [Popular(FileRecord.of_rows(*row), requests, egress) for row, requests, egress in found]

    async def stats(self, caller: Caller) -> FileStats:
        """All files in numbers, by content type; of very many types the largest."""
        bound = self._database.of(caller.organisation_id)
        count, size_bytes = await bound.read(file_statistics.totals)
        types = await bound.read(file_statistics.content_types, _MOST_TYPES)
        return FileStats(count, size_bytes, tuple(TypeStats(*one) for one in types))

    # -- changing ----------------------------------------------------------------------------------------------------

    async def edit(self, caller: Caller, key: str, wish: Edit) -> FileRecord:
        """The file after a change.  Raises: FileRecordNotFound, RecordNotFound, InvalidInput."""
        rows = await self._database.of(caller.organisation_id).write(
            files.edit, caller.actor, key, root_named(key), wish, self._clock()
        )
        return FileRecord.of_rows(*rows)

    async def edit_many(self, caller: Caller, file_ids: Sequence[str], wish: Edit) -> set[str]:
        """The ids of those files that were there, and are changed now.  Raises: InvalidInput."""
        return await self._database.of(caller.organisation_id).write(
            files.edit_many, caller.actor, file_ids, wish, self._clock()
        )

    async def delete(self, caller: Caller, key: str) -> list[str]:
        """Forget a file, or all of the organisation's with a CID; the ids of what is gone.

        The content is unpinned where no other file and no pin request of anybody needs it.  Raises: FileRecordNotFound.
        """
        gone = await self._database.of(caller.organisation_id).give_back(
            files.remove, caller.actor, key, root_named(key), self._clock()
        )
        if not gone:
            raise FileRecordNotFound(f"there is no file {key}")
        self._wake_worker()
        return [file.id for file in gone]

    async def delete_many(self, caller: Caller, file_ids: Sequence[str]) -> set[str]:
        """The ids of those files that were there, and are gone now."""
        gone = await self._database.of(caller.organisation_id).give_back(
            files.remove_many, caller.actor, file_ids, self._clock()
        )
        self._wake_worker()
        return gone


def root_named(key: str) -> str | None:
    """The root that a key names, where it is a CID; None for anything else, such as an id."""
    try:
        return root_of(CID.parse(key))
    except InvalidCID:
        return None

"""Resumable uploads: bytes gather in a file of the data folder, which becomes a file of the organisation in the end.

Why nothing that was acknowledged is lost, and an upload can go on after anything:

1. The offset in the database is moved on only after the bytes before it are durable in the upload's file.
2. Whoever appends holds a lock on that file, which the system takes back when the process ends, however it ends.
   First of all the file is cut to the offset: what a killed process wrote behind it was acknowledged to nobody.
3. The last byte being durable, the file is added to the node and recorded, the reservation settled.  Killed in between,
   ``sweep`` does it again; recording the same content twice is one file.
4. The upload's own bytes are removed after the record is durable.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from pinfold.core.errors import (
    ChecksumMismatch,
    Forbidden,
    InvalidInput,
    OffsetMismatch,
    PayloadTooLarge,
    PinfoldError,
    RecordNotFound,
    StoreFull,
    UploadBusy,
    UploadGone,
)
from pinfold.core.public_errors import of_system
from pinfold.core.tier import Tier
from pinfold.db import Database, tus_uploads
from pinfold.db.identifiers import new_id
from pinfold.db.models import TusUploadRow
from pinfold.services.accounts import Caller
from pinfold.services.clock import Clock, utc_now
from pinfold.services.files.model import Wish
from pinfold.services.files.service import FilesService
from pinfold.services.limits import LimitsService, Reservation
from pinfold.store.private import make_folder
from pinfold.telemetry import fields, logger
from pinfold.unixfs.profile import Profile, describe, from_description

log = logger("services.files")

CHECKSUMS: Final = ("sha1", "sha256", "md5")
_WRITE_BYTES: Final = 1 << 20
_SYNC_BYTES: Final = 32 << 20  # what a kill can cost, and how often a fast upload waits for the disk
_SYNC_S: Final = 5.0  # the same for a slow one
_REMEMBERED: Final = timedelta(days=7)  # so long an expired upload is known as gone
_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a client says of an upload before its bytes."""

    length_bytes: int | None
    """None where the client does not know it yet."""
    name: str
    content_type: str
    wish: Wish
    profile: Profile | None
    sent: str
    """Its metadata, just as it was sent."""
    concat: str = ""
    """How it is joined with others, just as it was sent."""
    is_partial: bool = False
    """It never becomes a file by itself."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the bytes of one request hash to."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class ResumableUpload:
    """How far an upload has come."""

    id: str
    length_bytes: int | None
    offset_bytes: int
    sent: str
    concat: str
    file_id: str | None
    created_at: datetime
    expires_at: datetime

    @classmethod
    def of_row(cls, row: TusUploadRow) -> ResumableUpload:
        """The upload that a row holds."""
        return cls(
            id=row.id,
            length_bytes=row.length_bytes,
            offset_bytes=row.offset_bytes,
            sent=row.meta.get("sent", ""),
            concat=row.meta.get("concat", ""),
            file_id=row.file_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
        )


class ResumableUploads:
    """Uploads whose bytes lie in ``folder`` until they are complete."""

    def __init__(
        self,
        database: Database,
        files: FilesService,
        limits: LimitsService,
        folder: Path,
        *,
        max_bytes: int = 0,
        lifetime: timedelta = timedelta(hours=24),
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._files = files
        self._limits = limits
        self._folder = folder
        self.max_bytes = max_bytes
        self._lifetime = lifetime
        self._clock = clock
        self._finishing: set[asyncio.Task[Any]] = set()

    # -- what clients ask --------------------------------------------------------------------------------------------

    async def create(self, caller: Caller, new: NewUpload) -> ResumableUpload:
        """A new upload, its room in the quota taken until it is complete, removed or expired.

        Where the length is not known yet, room is taken as the bytes come.
        Raises:  PayloadTooLarge, QuotaExceeded, StoreFull; what ``FilesService.check`` raises.
        """
        self._require_fit(new.length_bytes)
        await self._files.check(caller, new.wish)
        expires_at = self._clock() + self._lifetime
        room = await self._limits.reserve(caller, new.length_bytes or 0, 0 if new.is_partial else 1, until=expires_at)
        row = await self._insert(caller, new, _packed(new), room, expires_at)
        if new.length_bytes == 0 and not new.is_partial:
            return await self._finish_held(caller, row, await self._hold(row.id))
        return ResumableUpload.of_row(row)

    async def join(
        self,
        caller: Caller,
        new: NewUpload,
        part_ids: Sequence[str],
        confirm: Callable[[], Awaitable[None]] | None = None,
    ) -> ResumableUpload:
        """A file of partial uploads, end to end in this order; the parts are removed.

        Raises:  InvalidInput for a part that is none, or not complete; what ``create`` raises.
        """
        parts = [await self._row(caller, upload_id) for upload_id in part_ids]
        for part in parts:
            if not part.is_partial or part.offset_bytes != part.length_bytes:
                raise InvalidInput(f"{part.id} is no partial upload, or is not complete yet")
        size_bytes = sum(part.offset_bytes for part in parts)
        self._require_fit(size_bytes)
        await self._files.check(caller, new.wish)
        expires_at = self._clock() + self._lifetime
        reserved = list(dict.fromkeys(part.reservation_id for part in parts if part.reservation_id))
        room = await self._limits.merge(caller.organisation_id, reserved, size_bytes, 1, expires_at)
        meta = {**_packed(new), "parts": " ".join(part_ids)}
        row = await self._insert(caller, replace(new, length_bytes=size_bytes), meta, room, expires_at, size_bytes)
        return await self._finish_held(caller, row, await self._hold(row.id), confirm)

    def _require_fit(self, length_bytes: int | None) -> None:
        if self.max_bytes and length_bytes is not None and length_bytes > self.max_bytes:
            raise PayloadTooLarge(f"{length_bytes:,} bytes are over the limit of {self.max_bytes:,}")

    async def _insert(
        self,
        caller: Caller,
        new: NewUpload,
        meta: dict[str, str],
        room: Reservation,
        expires_at: datetime,
        offset_bytes: int = 0,
    ) -> TusUploadRow:
        """The row of a new upload, and its file; ``room`` is given back where they cannot be made."""
        upload_id = new_id()
        try:
            await asyncio.to_thread(self._make, upload_id)
            return await self._database.of(caller.organisation_id).write(
                tus_uploads.insert,
                upload_id,
                caller.token_id or None,
                new.length_bytes,
                meta,
                room.id,
                self._clock(),
                expires_at,
                offset_bytes=offset_bytes,
                is_partial=new.is_partial,
            )
        except BaseException:
            self._path(upload_id).unlink(missing_ok=True)
            await room.release()
            raise

    async def get(self, caller: Caller, upload_id: str) -> ResumableUpload:
        """One upload.  Raises: RecordNotFound, UploadGone."""
        return ResumableUpload.of_row(await self._row(caller, upload_id))

    async def append(
        self,
        caller: Caller,
        upload_id: str,
        offset: int,
        body: AsyncIterator[bytes],
        checksum: Checksum | None = None,
        confirm: Callable[[], Awaitable[None]] | None = None,
        length: int | None = None,
    ) -> ResumableUpload:
        """The upload with more bytes, durable; with the last ones it becomes a file, unless it is a partial one.

        ``length`` is that of the whole, for an upload that was begun without one.
        Before it does, ``confirm`` may object: then it stays an upload, which a good token can finish until it expires.
        A body that breaks off counts as far as it came, unless it has a checksum: then all of it counts or nothing.
        Raises:  RecordNotFound, UploadGone, UploadBusy, OffsetMismatch, ChecksumMismatch, PayloadTooLarge, StoreFull.
        """
        await self._row(caller, upload_id)
        fd = await self._hold(upload_id)
        try:
            row = await self._row(caller, upload_id)  # under the lock: nobody moves it now
            if "parts" in row.meta:
                raise Forbidden("a final upload takes no bytes: it is made of its partial uploads")
            if offset != row.offset_bytes:
                raise OffsetMismatch(f"{row.offset_bytes:,} bytes are here; bytes from {offset:,} on were sent")
            if length is not None:
                await self._learn_length(row, length)
            if row.file_id is not None:
                return ResumableUpload.of_row(row)
            await self._take(row, fd, body, checksum)
            if row.offset_bytes == row.length_bytes and not row.is_partial:
                held, fd = fd, -1  # from here on it is closed where the upload is finished
                return await self._finish_held(caller, row, held, confirm)
            return ResumableUpload.of_row(row)
        finally:
            if fd >= 0:
                os.close(fd)

    async def remove(self, caller: Caller, upload_id: str) -> None:
        """Give an upload up; a file that it became stays.  Raises: RecordNotFound, UploadGone, UploadBusy."""
        row = await self._row(caller, upload_id)
        if row.file_id is not None:
            await self._database.of(caller.organisation_id).give_back(tus_uploads.remove, upload_id)
            return
        fd = await self._hold(upload_id)
        try:
            await self._drop(row)
        finally:
            os.close(fd)

    async def _learn_length(self, row: TusUploadRow, length: int) -> None:
        """Have the length of an upload be known; the same one again changes nothing.  Raises: InvalidInput."""
        if row.length_bytes is None:
            if length < row.offset_bytes:
                raise InvalidInput(f"the length cannot be {length:,}: {row.offset_bytes:,} bytes are here")
            self._require_fit(length)
            await self._limits.fit(row.organisation_id, row.reservation_id, length)
            await self._database.everybody.write(tus_uploads.set_length, row.id, length)
            row.length_bytes = length
        elif length != row.length_bytes:
            raise InvalidInput(f"the length of this upload is {row.length_bytes:,}, and stays so")

    # -- taking bytes ------------------------------------------------------------------------------------------------

    async def _take(self, row: TusUploadRow, fd: int, body: AsyncIterator[bytes], checksum: Checksum | None) -> None:
        start = row.offset_bytes
        await asyncio.to_thread(os.ftruncate, fd, start)
        taking = _Taking(fd, start, hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None)
        synced_bytes, synced_at = start, time.monotonic()
        covered_bytes = 0  # of the quota, which an upload of unknown length takes as it comes
        try:
            async for chunk in body:
                end = taking.end + len(chunk)
                if row.length_bytes is None:
                    self._require_fit(end)
                    if row.reservation_id is not None and end > covered_bytes:
                        covered_bytes = await self._limits.cover(row.organisation_id, row.reservation_id, end)
                elif end > row.length_bytes:
                    raise PayloadTooLarge(f"more than the {row.length_bytes:,} bytes that were announced were sent")
                await taking.add(chunk)
                due = taking.end - synced_bytes >= _SYNC_BYTES or time.monotonic() - synced_at >= _SYNC_S
                if due and checksum is None:
                    await self._settle(row, taking)
                    synced_bytes, synced_at = taking.end, time.monotonic()
            if checksum is not None and await taking.digest() != checksum.digest:
                raise ChecksumMismatch(f"the bytes do not match their {checksum.algorithm}; none of them was kept")
        except BaseException as exc:
            if checksum is None and not isinstance(exc, StoreFull | PayloadTooLarge | UploadGone):
                await asyncio.shield(self._settle(row, taking))
            raise
        await self._settle(row, taking)

    async def _settle(self, row: TusUploadRow, taking: _Taking) -> None:
        """Have all that was taken durable, and then known."""
        await taking.sync()
        expires_at = self._clock() + self._lifetime
        if not await self._database.everybody.write(tus_uploads.advance, row.id, taking.end, expires_at):
            raise UploadGone("the upload was removed meanwhile")
        row.offset_bytes, row.expires_at = taking.end, expires_at

    # -- becoming a file ---------------------------------------------------------------------------------------------

    async def _finish_held(
        self, caller: Caller, row: TusUploadRow, fd: int, confirm: Callable[[], Awaitable[None]] | None = None
    ) -> ResumableUpload:
        """The upload as a file; goes on when the caller goes away, and lets go of ``fd`` at the end."""
        task = asyncio.create_task(self._finish(caller, row, fd, confirm))
        self._finishing.add(task)
        task.add_done_callback(self._finishing.discard)
        return await asyncio.shield(task)

    async def _finish(
        self, caller: Caller, row: TusUploadRow, fd: int, confirm: Callable[[], Awaitable[None]] | None
    ) -> ResumableUpload:
        try:
            name, content_type, wish, profile = _unpacked(row.meta)
            parts = row.meta.get("parts", "").split()
            paths = [self._path(one) for one in parts or [row.id]]
            try:
                stored = await self._files.intake.add_file(caller.organisation_id, paths, name, content_type, profile)
            except FileNotFoundError:
                raise UploadGone("the bytes of this upload are gone") from None
            try:
                if confirm is not None:
                    await confirm()
                try:
                    (record,) = await self._files.record(caller, [stored], wish, row.reservation_id)
                except RecordNotFound:  # its project went away while the bytes came
                    wish = replace(wish, project_id=None)
                    (record,) = await self._files.record(caller, [stored], wish, row.reservation_id)
            except BaseException:
                await self._files.let_go([stored.cid])
                raise
            await self._database.everybody.write(tus_uploads.complete, row.id, record.id)
            row.file_id = record.id
            await asyncio.to_thread(self._path(row.id).unlink, missing_ok=True)
            for part_id in parts:
                await self._database.of(row.organisation_id).give_back(tus_uploads.remove, part_id)
                await asyncio.to_thread(self._path(part_id).unlink, missing_ok=True)
            return ResumableUpload.of_row(row)
        finally:
            os.close(fd)

    async def sweep(self) -> None:
        """Finish what a killed process left complete, remove what has expired, and bytes that belong to nothing."""
        after = ""
        while rows := await self._database.everybody.read(tus_uploads.unfinished, after, _PAGE):
            after = rows[-1].id
            for row in rows:
                if row.expires_at > self._clock():
                    await self._finish_late(row)
        after, now = "", self._clock()
        while rows := await self._database.everybody.read(tus_uploads.expired, now, after, _PAGE):
            after = rows[-1].id
            for row in rows:
                await self._expire(row)
        await self._database.everybody.write(tus_uploads.forget, now - _REMEMBERED)
        await self._remove_strays()

    async def _finish_late(self, row: TusUploadRow) -> None:
        try:
            fd = await self._hold(row.id)
        except (UploadBusy, UploadGone):
            return
        now = await self._database.everybody.read(tus_uploads.get, row.id)  # under the lock: nobody finishes it now
        if now is None or now.file_id is not None:
            return os.close(fd)
        caller = Caller(row.token_id or "", "resumable upload", row.organisation_id, frozenset())
        try:
            await self._finish_held(caller, row, fd)
        except PinfoldError as exc:  # its next turn, or its end, comes
            log.warning("upload not finished", **{fields.CODE: exc.code, fields.ERROR: str(exc)})

    async def _expire(self, row: TusUploadRow) -> None:
        try:
            fd = await self._hold(row.id)
        except UploadBusy:
            return
        except UploadGone:
            return
        try:
            self._path(row.id).unlink(missing_ok=True)  # the row stays for a while: it is known as gone
            await self._limits.release_id(row.organisation_id, row.reservation_id)
        finally:
            os.close(fd)

    async def _remove_strays(self) -> None:
        """Remove bytes whose row was never written, or is gone; young ones may be about to get theirs."""
        names = await asyncio.to_thread(self._old_names)
        for start in range(0, len(names), _PAGE):
            page = names[start : start + _PAGE]
            known = await self._database.everybody.read(tus_uploads.known, page)
            for name in page:
                if name not in known:
                    self._path(name).unlink(missing_ok=True)

    def _old_names(self) -> list[str]:
        before = self._clock().timestamp() - self._lifetime.total_seconds()
        found = []
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._folder):
                with suppress(FileNotFoundError):
                    if entry.stat().st_mtime < before:
                        found.append(entry.name)
        return found

    async def close(self) -> None:
        """Wait for uploads that are becoming files."""
        if self._finishing:
            await asyncio.wait(list(self._finishing))

    # -- rows and files ----------------------------------------------------------------------------------------------

    async def _row(self, caller: Caller, upload_id: str) -> TusUploadRow:
        row = await self._database.of(caller.organisation_id).read(tus_uploads.get, upload_id)
        if row is None:
            raise RecordNotFound(f"there is no upload {upload_id}")
        if row.file_id is None and row.expires_at <= self._clock():
            raise UploadGone("the upload has expired, and its bytes are gone")
        return row

    async def _drop(self, row: TusUploadRow) -> None:
        await self._database.of(row.organisation_id).give_back(tus_uploads.remove, row.id)
        self._path(row.id).unlink(missing_ok=True)
        await self._limits.release_id(row.organisation_id, row.reservation_id)

    async def _hold(self, upload_id: str) -> int:
        """The upload's file, open and locked.  Raises: UploadBusy, UploadGone."""
        return await asyncio.to_thread(self._hold_now, upload_id)

    def _hold_now(self, upload_id: str) -> int:
        try:
            fd = os.open(self._path(upload_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            raise UploadGone("the bytes of this upload are not here any more") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise UploadBusy("another request is sending bytes of this upload") from None
        return fd

    def _make(self, upload_id: str) -> None:
        make_folder(self._folder)
        try:
            fd = os.open(self._path(upload_id), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise _unwritten(exc) from exc
        os.close(fd)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # the name of the file survives a power cut, like what is written to it
        finally:
            os.close(folder)

    def _path(self, upload_id: str) -> Path:
        return self._folder / upload_id


class _Taking:
    """Bytes on their way into a file, a piece of them gathered at a time."""

    def __init__(self, fd: int, start: int, hasher: Any) -> None:
        self._fd = fd
        self._written = start
        self._pending = bytearray()
        self._hasher = hasher

    @property
    def end(self) -> int:
        """The offset behind all bytes taken."""
        return self._written + len(self._pending)

    async def add(self, chunk: bytes) -> None:
        """Take more.  Raises: StoreFull."""
        self._pending += chunk
        if len(self._pending) >= _WRITE_BYTES:
            await asyncio.to_thread(self._write)

    async def digest(self) -> bytes:
        """The hash of everything taken."""
        await asyncio.to_thread(self._write)
        digest: bytes = self._hasher.digest()
        return digest

    async def sync(self) -> None:
        """Have everything taken on the disk.  Raises: StoreFull."""
        await asyncio.to_thread(self._sync)

    def _write(self) -> None:
        data = bytes(self._pending)
        view = memoryview(data)
        try:
            while view:
                count = os.pwrite(self._fd, view, self._written)
                self._written += count
                view = view[count:]
                del self._pending[:count]
        except OSError as exc:
            raise _unwritten(exc) from exc
        if self._hasher is not None:
            self._hasher.update(data)

    def _sync(self) -> None:
        self._write()
        try:
            os.fdatasync(self._fd)
        except OSError as exc:
            raise _unwritten(exc) from exc


def _unwritten(exc: OSError) -> PinfoldError:
    return of_system(exc) or StoreFull(f"the upload cannot be written: {exc.strerror}")


def _packed(new: NewUpload) -> dict[str, str]:
    wish = asdict(new.wish)
    return {
        "sent": new.sent,
        "concat": new.concat,
        "name": new.name,
        "content_type": new.content_type,
        "profile": "" if new.profile is None else describe(new.profile),
        "wish": json.dumps(wish, default=str),
    }


def _unpacked(meta: dict[str, str]) -> tuple[str, str, Wish, Profile | None]:
    """Name, content type, wish and profile of an upload."""
    said = json.loads(meta["wish"])
    if said["tier"] is not None:
        said["tier"] = Tier(said["tier"])
    said["tags"] = tuple(said["tags"])
    profile = from_description(meta["profile"]) if meta["profile"] else None
    return meta["name"], meta["content_type"], Wish(**said), profile

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pinfold.core.errors import QuotaExceeded, RecordNotFound, Unauthorised, UploadGone
from pinfold.core.pin import PLATFORM_PIN_NAME
from pinfold.db import Database
from pinfold.db.models import FileRow, OrganisationRow, TokenRow, TotalsRow, TusUploadRow
from pinfold.engine.embedded import EmbeddedEngine
from pinfold.node import Node
from pinfold.services.accounts import Caller
from pinfold.services.files import FilesService, Intake, Wish
from pinfold.services.files.resumable import NewUpload, ResumableUpload, ResumableUploads
from pinfold.services.limits import LimitsService
from pinfold.services.pins import CIDLocks, Tiers
from tests.support.tenants import make_organisation, make_token

HOURS = timedelta(hours=1)


@dataclass
class World:
    """One process's services, and a clock that a test moves."""

    database: Database
    node: Node
    folder: Path
    caller: Caller
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def uploads(self) -> ResumableUploads:
        """What another process would have too."""
        engine = EmbeddedEngine(self.node, pin_name=PLATFORM_PIN_NAME)
        intake = Intake(self.node, pin_name=PLATFORM_PIN_NAME, max_file_bytes=10, max_concurrent=4)
        limits = LimitsService(self.database, lambda: self.now)
        files = FilesService(
            self.database, self.node, intake, CIDLocks(), limits, Tiers(engine), lambda: None, clock=lambda: self.now
        )
        return ResumableUploads(self.database, files, limits, self.folder, lifetime=24 * HOURS, clock=lambda: self.now)

    def totals(self) -> TotalsRow:
        return self.database.of(self.caller.organisation_id).read_now(lambda s: s.scalars(select(TotalsRow)).one())

    def files(self) -> list[str]:
        return self.database.everybody.read_now(lambda s: list(s.scalars(select(FileRow.id))))

    def bytes_kept(self) -> list[str]:
        return sorted(os.listdir(self.folder))


@pytest.fixture
def world(database: Database, tmp_path: Path) -> Iterator[World]:
    def make(session: Session) -> str:
        organisation_id = make_organisation(session, "small")
        session.execute(update(OrganisationRow).values(quota_bytes=100))
        return organisation_id

    with _node(tmp_path) as node:
        yield World(
            database, node, tmp_path / "uploads", Caller("t", "tests", database.everybody.write_now(make), frozenset())
        )


@contextmanager
def _node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "data") as node:
        yield node


def new(length: int) -> NewUpload:
    return NewUpload(length, "a.bin", "x/y", Wish(tags=("t",)), None, "")


async def body(data: bytes) -> AsyncIterator[bytes]:
    yield data


def test_what_was_complete_when_the_process_died_becomes_a_file_once(world: World) -> None:
    async def go() -> None:
        uploads = world.uploads()
        upload = await uploads.create(world.caller, new(10))
        (world.folder / upload.id).write_bytes(b"0123456789")

        def complete(session: Session) -> None:  # as the killed process left it: durable and known, no file
            session.execute(update(TusUploadRow).values(offset_bytes=10))

        world.database.everybody.write_now(complete)
        await asyncio.gather(world.uploads().sweep(), world.uploads().sweep())
        await world.uploads().sweep()
        (file_id,) = world.files()
        assert (await uploads.get(world.caller, upload.id)).file_id == file_id
        totals = world.totals()
        assert (totals.files, totals.logical_bytes, totals.reserved_bytes, totals.reserved_files) == (1, 10, 0, 0)
        assert world.bytes_kept() == []

    asyncio.run(go())


def test_what_a_revoked_token_completed_waits_for_another_one(world: World) -> None:
    async def refuse() -> None:
        raise Unauthorised("this token was revoked")

    def make(session: Session) -> str:
        make_token(session, world.caller.organisation_id)
        return session.scalars(select(TokenRow.id).order_by(TokenRow.created_at.desc())).first() or ""

    def revoke(session: Session) -> None:
        session.execute(update(TokenRow).where(TokenRow.id == token_id).values(revoked_at=datetime.now(UTC)))

    token_id = world.database.everybody.write_now(make)

    async def go() -> None:
        uploads = world.uploads()
        caller = replace(world.caller, token_id=token_id)
        upload = await uploads.create(caller, new(3))
        with pytest.raises(Unauthorised):
            await uploads.append(caller, upload.id, 0, body(b"abc"), confirm=refuse)
        world.database.everybody.write_now(revoke)
        await world.uploads().sweep()
        assert world.files() == []
        assert (await uploads.append(world.caller, upload.id, 3, body(b""))).file_id in world.files()

    asyncio.run(go())


def test_killed_between_the_record_and_the_note_of_it_there_is_one_file(world: World) -> None:
    async def go() -> None:
        uploads = world.uploads()
        upload = await uploads.create(world.caller, new(3))
        done = await uploads.append(world.caller, upload.id, 0, body(b"abc"))

        def forget(session: Session) -> None:
            session.execute(update(TusUploadRow).values(file_id=None))

        world.database.everybody.write_now(forget)
        (world.folder / upload.id).write_bytes(b"abc")
        await world.uploads().sweep()
        assert world.files() == [done.file_id]
        assert (await uploads.get(world.caller, upload.id)).file_id == done.file_id
        assert world.totals().logical_bytes == 3

    asyncio.run(go())


def test_bytes_behind_the_offset_are_cut_off(world: World) -> None:
    async def go() -> None:
        uploads = world.uploads()
        upload = await uploads.create(world.caller, new(6))
        await uploads.append(world.caller, upload.id, 0, body(b"abc"))
        with (world.folder / upload.id).open("ab") as file:
            file.write(b"XYZ")  # written by a process that was killed before it could say so
        assert (await uploads.get(world.caller, upload.id)).offset_bytes == 3
        done = await uploads.append(world.caller, upload.id, 3, body(b"def"))
        assert done.file_id is not None
        (cid,) = world.database.everybody.read_now(lambda s: list(s.scalars(select(FileRow.cid))))
        assert b"".join(world.node.cat(cid)) == b"abcdef"

    asyncio.run(go())


def test_an_upload_that_nobody_goes_on_with_expires_and_gives_its_room_back(world: World) -> None:
    async def go() -> None:
        uploads = world.uploads()
        upload = await uploads.create(world.caller, new(60))
        assert world.totals().reserved_bytes == 60
        with pytest.raises(QuotaExceeded):
            await uploads.create(world.caller, new(60))
        assert world.bytes_kept() == [upload.id]
        world.now += 23 * HOURS
        later = await uploads.append(world.caller, upload.id, 0, body(b"x"))
        assert later.expires_at == world.now + 24 * HOURS
        world.now += 23 * HOURS
        await uploads.sweep()
        assert (await uploads.get(world.caller, upload.id)).offset_bytes == 1
        world.now += 2 * HOURS
        await uploads.sweep()
        with pytest.raises(UploadGone):
            await uploads.append(world.caller, upload.id, 1, body(b"x"))
        assert (world.bytes_kept(), world.totals().reserved_bytes) == ([], 0)
        world.now += timedelta(days=8)
        await uploads.sweep()
        with pytest.raises(RecordNotFound):
            await uploads.get(world.caller, upload.id)

    asyncio.run(go())


def test_bytes_without_a_row_are_swept_when_they_are_old(world: World) -> None:
    async def go() -> None:
        uploads = world.uploads()
        kept: ResumableUpload = await uploads.create(world.caller, new(6))
        stray = world.folder / "0193a2c4-7d1e-7c55-9d0a-5f3d8f6f1c11"
        stray.write_bytes(b"x")
        await uploads.sweep()
        assert stray.exists()
        before = (world.now - 25 * HOURS).timestamp()
        os.utime(stray, (before, before))
        os.utime(world.folder / kept.id, (before, before))
        await uploads.sweep()
        assert world.bytes_kept() == [kept.id]

    asyncio.run(go())

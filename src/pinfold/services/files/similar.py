"""Files that are like one: the same name and nearly its size, nearly the same name, or the same picture to the eye."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from pinfold.core.cid import CID
from pinfold.core.errors import FileRecordNotFound, PinfoldError
from pinfold.db import Database, similar
from pinfold.db.session import Bound
from pinfold.db.similar import Candidate
from pinfold.node import Node
from pinfold.services.files.fingerprint import MAX_FILE_BYTES, distance, perceptual_hash
from pinfold.services.files.picture_decoder import PictureDecoder

KIND: Final = "files.similar"

MOST_COMPARED: Final = 200_000
"""Files that are compared, the newest first; the result says whether these were all."""
MOST_PICTURES: Final = 2_000
"""Pictures that one job looks into for the first time; what they look like is remembered."""
MOST_S: Final = 60.0
"""How long one job looks into pictures: other organisations wait.  The next job goes on from there."""
_MOST_FOUND: Final = 200
_RECORDED_TOGETHER: Final = 50  # pictures whose looks are lost when the process is killed
_PAGE: Final = 2_000
_SIZE_MARGIN: Final = 0.10
_NAME_RATIO: Final = 0.8
_BITS: Final = 5


class SimilarFiles:
    """Finds them, in a thread: it reads names of many files and pixels of some."""

    def __init__(self, database: Database, node: Node, *, most_s: float = MOST_S) -> None:
        self._database = database
        self._node = node
        self._most_s = most_s

    async def find(self, organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
        """The result of a job.  Raises: FileRecordNotFound."""
        stop: list[bool] = []
        try:
            return await asyncio.to_thread(self._find, organisation_id, str(argument["file_id"]), stop)
        except asyncio.CancelledError:
            stop.append(True)  # the thread sees it at its next page
            raise

    def _find(self, organisation_id: str, file_id: str, stop: list[bool]) -> dict[str, Any]:
        bound = self._database.of(organisation_id)
        wanted = bound.read_now(similar.candidate, file_id)
        if wanted is None:
            raise FileRecordNotFound(f"there is no file {file_id}")
        names = _Names(wanted)
        with PictureDecoder() as decoder:
            return self._compare(bound, wanted, names, _Pictures(self, decoder, wanted, stop, self._most_s), stop)

    def _compare(
        self, bound: Bound, wanted: Candidate, names: _Names, pictures: _Pictures, stop: list[bool]
    ) -> dict[str, Any]:
        compared, number = 0, None
        page: list[Candidate] = []
        while compared < MOST_COMPARED and not stop:
            page = bound.read_now(similar.newest_before, number, _PAGE)
            for one in page:
                if one.id != wanted.id:
                    names.look_at(one)
            pictures.look_at([one for one in page if one.id != wanted.id])
            compared += len(page)
            if len(page) < _PAGE:
                break
            number = page[-1].number
        found = sorted([*names.found, *pictures.found], key=lambda match: match["score"], reverse=True)
        return {
            "file_id": wanted.id,
            "matches": found[:_MOST_FOUND],
            "compared": compared,
            "complete": len(page) < _PAGE and pictures.is_complete and len(found) <= _MOST_FOUND,
        }

    def known(self, files: Sequence[Candidate]) -> dict[str, int | None]:
        """What is known of pictures, by root; None is one that has no look."""
        return self._database.everybody.read_now(similar.fingerprints, [one.root for one in files])

    def record(self, looks: dict[str, int | None]) -> None:
        """Remember what was found out."""
        if looks:
            self._database.everybody.write_now(similar.put_fingerprints, looks)

    def read(self, one: Candidate) -> Iterator[bytes | memoryview]:
        """Yield the bytes of a picture, one more than it may have at most.  Raises: PinfoldError."""
        return iter(self._node.cat(CID.parse(one.cid), length=MAX_FILE_BYTES + 1))


class _Names:
    """Compares names and sizes."""

    def __init__(self, wanted: Candidate) -> None:
        self._wanted = wanted
        self._name = wanted.name.casefold()
        self._matcher = SequenceMatcher(autojunk=False)
        self._matcher.set_seq2(self._name)
        self.found: list[dict[str, Any]] = []

    def look_at(self, one: Candidate) -> None:
        """Note ``one`` where it is like the wanted file."""
        name = one.name.casefold()
        if name == self._name:
            larger = max(one.size_bytes, self._wanted.size_bytes)
            gap = abs(one.size_bytes - self._wanted.size_bytes)
            if gap <= _SIZE_MARGIN * self._wanted.size_bytes:
                self.found.append(_match(one, "same_name", 1.0 if not larger else 1 - gap / larger))
                return
        self._matcher.set_seq1(name)
        for ratio in (self._matcher.real_quick_ratio, self._matcher.quick_ratio, self._matcher.ratio):
            score = ratio()  # each is dearer than the one before, and never more
            if score < _NAME_RATIO:
                return
        self.found.append(_match(one, "similar_name", score))


class _Pictures:
    """Compares what pictures look like."""

    def __init__(
        self, parent: SimilarFiles, decoder: PictureDecoder, wanted: Candidate, stop: list[bool], most_s: float
    ) -> None:
        self._parent = parent
        self._decoder = decoder
        self._stop = stop
        self._ends_at = time.monotonic() + most_s
        self._left = MOST_PICTURES
        self.is_complete = True
        self.found: list[dict[str, Any]] = []
        self._look = self._looks([wanted]).get(wanted.root) if _is_picture(wanted) else None

    def look_at(self, files: list[Candidate]) -> None:
        """Note those that look like the wanted file."""
        if self._look is None:
            return
        pictures = [one for one in files if _is_picture(one)]
        looks = self._looks(pictures)
        for one in pictures:
            look = looks.get(one.root)
            if look is not None and (bits := distance(look, self._look)) <= _BITS:
                self.found.append({**_match(one, "similar_image", 1 - bits / 64), "distance": bits})

    def _looks(self, pictures: Sequence[Candidate]) -> dict[str, int | None]:
        """What they look like, as far as that is known or can be found out within this job's limits."""
        looks = self._parent.known(pictures)
        fresh: dict[str, int | None] = {}
        for one in pictures:
            if one.root in looks or self._stop:
                continue
            if not self._left or time.monotonic() > self._ends_at:
                self.is_complete = False
                break
            self._left -= 1
            try:
                looks[one.root] = fresh[one.root] = self._look_into(one)
            except PinfoldError:
                continue  # its blocks are not here now; they may come back
            if len(fresh) >= _RECORDED_TOGETHER:
                self._parent.record(fresh)
                fresh = {}
        self._parent.record(fresh)
        return looks

    def _look_into(self, one: Candidate) -> int | None:
        try:
            grey = self._decoder.grey(_at_most(self._parent.read(one), MAX_FILE_BYTES))
        except _TooLarge:
            return None
        return None if grey is None else perceptual_hash(grey)


class _TooLarge(Exception):
    """A file has more bytes than its record says."""


def _at_most(chunks: Iterator[bytes | memoryview], most_bytes: int) -> Iterator[bytes | memoryview]:
    for chunk in chunks:
        most_bytes -= len(chunk)
        if most_bytes < 0:
            raise _TooLarge
        yield chunk


def _is_picture(one: Candidate) -> bool:
    return one.content_type.startswith("image/") and one.size_bytes <= MAX_FILE_BYTES


def _match(one: Candidate, reason: str, score: float) -> dict[str, Any]:
    return {
        "id": one.id,
        "cid": one.cid,
        "name": one.name,
        "size": one.size_bytes,
        "reason": reason,
        "score": round(score, 4),
        "distance": None,
    }

"""``python -m bench.generate --pins 1000000 --files 10000000 URL``: fill a database as years of use would.

Rows are written past the program, with secondary indexes and search built afterwards, so that millions take minutes.
They belong to ``TENANTS`` organisations, the first of which has half of everything; a token of it is printed.  The
content that the rows name does not exist.  A database that has rows already is left alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import make_url
from tests.support.tenants import make_organisation, make_token

from bench import bulk
from pinfold.db import Database
from pinfold.db.models import Base
from pinfold.db.pins import meta_digest

TENANTS = 10
FIRST_SLUG = "bench"
STEP = timedelta(milliseconds=7, microseconds=301)
NEWEST = datetime(2026, 1, 1, tzinfo=UTC)
TAG_EVERY = 5
META_EVERY = 2
KINDS = ("image/png", "image/jpeg", "application/pdf", "text/plain", "application/octet-stream", "video/mp4")
WORDS = 3000
SEED = 20260131


def words() -> list[str]:
    """Words of names, always the same."""
    dice = random.Random(SEED)
    syllables = [c + v for c in "bcdfghjklmnprstvz" for v in "aeiou"]
    return ["".join(dice.choices(syllables, k=dice.randint(2, 4))) for _ in range(WORDS)]


class Rows:
    """The rows of one run; each number gives the same row every time."""

    def __init__(self, tenants: Sequence[str], pins: int, files: int) -> None:
        self._tenants = tenants
        self.pins = pins
        self.files = files
        self._words = words()
        self._begin = NEWEST - STEP * (pins + files)

    def tenant(self, number: int) -> int:
        """Whose it is: about every second the first's, whatever else goes by its number."""
        mixed = (number * 2_654_435_761 & 0xFFFFFFFF) >> 8
        return 0 if mixed % 2 else 1 + mixed // 2 % (TENANTS - 1)

    def is_file(self, number: int) -> bool:
        """Whether the pin of that number is a file's: spread evenly among the others."""
        of_all = self.pins + self.files
        return number * self.files // of_all != (number - 1) * self.files // of_all

    def _each(self) -> Iterator[tuple[int, str, str, str, str]]:
        """Number, tenant, root, name and time of all, in order."""
        vocabulary, size = self._words, len(self._words)
        for number in range(1, self.pins + self.files + 1):
            digest = hashlib.blake2b(number.to_bytes(8), digest_size=32).digest()
            root = "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")
            one, two = digest[0] << 8 | digest[1], digest[2] << 8 | digest[3]
            name = f"{vocabulary[one % size]}-{vocabulary[two % size]}-{number:07d}.{number % 7}"
            at = (self._begin + STEP * number).strftime("%Y-%m-%d %H:%M:%S.%f")
            yield number, self._tenants[self.tenant(number)], root, name, at

    def of_pins(self) -> Iterator[dict[str, Any]]:
        """All pin requests, those of files among them; one in a hundred thousand waits, or failed."""
        for number, tenant, root, name, at in self._each():
            status = {1: "queued", 2: "failed"}.get(number % 100_000, "pinned")
            yield {
                **{"number": number, "id": pin_id(number), "organisation_id": tenant, "of_file": self.is_file(number)},
                **{"cid": root, "root": root, "name": name, "status": status, "created_at": at, "updated_at": at},
                "meta": f'{{"app": "app-{number % 1000}"}}' if self._has_meta(number) else "{}",
                "origins": "[]",
            }

    def of_meta(self) -> Iterator[dict[str, Any]]:
        """The index of pins by metadata."""
        digests = [meta_digest("app", f"app-{n}") for n in range(1000)]
        for number, tenant, _, _, at in self._each():
            if self._has_meta(number):
                known = {"organisation_id": tenant, "digest": digests[number % 1000]}
                yield {**known, "created_at": at, "pin_number": number}

    def _has_meta(self, number: int) -> bool:
        return number % META_EVERY == 0 and not self.is_file(number)

    def of_replicas(self) -> Iterator[dict[str, Any]]:
        """What a peer says of every root that no file has."""
        for number, _, root, _, at in self._each():
            if not self.is_file(number):
                peer = {"peer_id": "12D3KooWBench", "peer_name": "bench", "status": "pinned"}
                yield {"root": root, **peer, "claimed_at": at, "seen_at": at}

    def of_files(self) -> Iterator[dict[str, Any]]:
        """All files."""
        for number, tenant, root, name, at in self._each():
            if self.is_file(number):
                yield {
                    **{"number": number, "id": file_id(number), "pin_id": pin_id(number), "organisation_id": tenant},
                    **{"cid": root, "root": root, "name": name, "size_bytes": number * 7919 % 100_000_007},
                    **{"content_type": KINDS[number % len(KINDS)], "profile": "unixfs-v1-2025"},
                    **{"tags": f'["{self._tag(number)}"]' if number % TAG_EVERY == 0 else "[]", "meta": "{}"},
                    **{"created_at": at, "updated_at": at},
                }

    def of_tags(self) -> Iterator[dict[str, Any]]:
        """Tags of files."""
        for number in range(TAG_EVERY, self.pins + self.files + 1, TAG_EVERY):
            if self.is_file(number):
                tenant = self._tenants[self.tenant(number)]
                yield {"organisation_id": tenant, "tag": self._tag(number), "file_number": number}

    def _tag(self, number: int) -> str:
        return f"tag-{number // TAG_EVERY % 500}"

    def totals(self) -> dict[str, tuple[int, int]]:
        """Per organisation its files, and its pins that no file made."""
        counted = {tenant: [0, 0] for tenant in self._tenants}
        for number in range(1, self.pins + self.files + 1):
            counted[self._tenants[self.tenant(number)]][0 if self.is_file(number) else 1] += 1
        return {tenant: (files, pins) for tenant, (files, pins) in counted.items()}


def pin_id(number: int) -> str:
    """The id of a pin request."""
    return f"01900000-0000-7000-8000-{number:012x}"


def file_id(number: int) -> str:
    """The id of a file."""
    return f"01900000-0000-7000-9000-{number:012x}"


def fill(url: str, pins: int, files: int, say: Callable[[str], None]) -> str:
    """Write everything; a token of the first organisation.  Raises: SystemExit, where there are rows already."""
    database = Database(url, may_upgrade=True)
    try:
        tenants = [
            database.everybody.write_now(make_organisation, FIRST_SLUG + (f"-{n}" if n else "")) for n in range(TENANTS)
        ]
        token = database.everybody.write_now(make_token, tenants[0])
        rows = Rows(tenants, pins, files)
        writer = bulk.open_writer(database.engine)
        if writer.value("SELECT count(*) FROM (SELECT 1 FROM pins LIMIT 1) AS few"):
            raise SystemExit("there are pins in this database already")
        parts: dict[str, Callable[[], Iterable[dict[str, Any]]]] = {
            "pins": rows.of_pins,
            "pin_meta": rows.of_meta,
            "files": rows.of_files,
            "file_tags": rows.of_tags,
            "replicas": rows.of_replicas,
        }
        writer.without_indexes(tuple(parts))
        for name, make in parts.items():
            began = time.perf_counter()
            written = writer.insert(Base.metadata.tables[name], batches(make()))
            say(f"{name}: {written:,} rows in {time.perf_counter() - began:.0f} s")
        for tenant, (of_files, of_pins) in rows.totals().items():
            writer.run(f"UPDATE totals SET files = {of_files}, pins = {of_pins} WHERE organisation_id = '{tenant}'")
        began = time.perf_counter()
        writer.with_indexes()
        say(f"indexes and search: {time.perf_counter() - began:.0f} s")
        writer.close()
    finally:
        database.close()
    return token


def batches(rows: Iterable[dict[str, Any]], size: int = 10_000) -> Iterator[list[dict[str, Any]]]:
    """The rows in lists, the last one shorter."""
    left = iter(rows)
    while some := list(islice(left, size)):
        yield some


def main() -> int:
    """Fill the database that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench.generate", description="Fill a database with many rows.")
    parser.add_argument("--pins", type=int, default=1_000_000, help="pin requests that no file made")
    parser.add_argument("--files", type=int, default=10_000_000, help="files, each with its pin request")
    parser.add_argument("url", help="the database, as sqlite:////path/to/file or postgresql://…")
    read = parser.parse_args()
    make_url(read.url)
    print(fill(read.url, read.pins, read.files, lambda line: print(line, file=sys.stderr, flush=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

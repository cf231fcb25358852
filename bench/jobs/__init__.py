"""Every job of the bench, one file per group."""

from __future__ import annotations

from bench.jobs import add, cars, gateway, gc, listings, pins, platform, reading, start
from bench.model import JobMaker

JOBS: dict[str, JobMaker] = {
    "add-1g": add.one_big_file,
    "add-20k": add.many_small_files,
    "import-1g": cars.import_big_blocks,
    "import-500k": cars.import_small_blocks,
    "export-1g": cars.export_big_blocks,
    "cat-1g": reading.cat_into_a_pipe,
    "gateway-hash": gateway.cached_file,
    "verify-500k": reading.verify_small_blocks,
    "gc-together": gc.garbage_together,
    "gc-mixed": gc.garbage_mixed,
    "pins": pins.at_growing_numbers,
    "start": start.version,
    "start-add": start.add_one_small_file,
    "platform-lists": platform.lists,
    "listings": listings.listings,
    "platform-pins": platform.pins,
    "platform-bulk": platform.bulk,
    "platform-upload": platform.upload,
    "platform-two": platform.two_processes,
}
"""Name -> what makes the job, in the order of the report."""

"""The pin journal, replayed and compared with the catalogue's pins."""

from __future__ import annotations

from typing import Final

from pinfold.core.cid import CID
from pinfold.node.model import Problem, ProblemKind
from pinfold.node.snapshot import Snapshot
from pinfold.store import Store
from pinfold.store.journal import JournalEntry
from pinfold.store.pins import pin_key

_MAX_TOLD: Final = 20  # differences told one by one; a journal that is lost altogether has a million


def check_journal(store: Store, snapshot: Snapshot) -> list[Problem]:
    """Lines that cannot be read, and pins that a replay of the journal would not give as the catalogue has them."""
    path = store.layout.journal
    if snapshot.journal is None:
        if snapshot.journal_end == 0:
            return []
        return [_problem(f"the pin journal {path} is missing; the next pin writes it anew from the catalogue")]
    problems: list[Problem] = []
    standing: dict[bytes, JournalEntry] = {}
    position = 0
    for line in snapshot.journal:
        if position >= snapshot.journal_end:  # not applied yet: of a commit that runs now, or died
            break
        entry = JournalEntry.parse(line)
        if entry is None:
            problems.append(_problem(f"the pin journal {path} has a line at byte {position} that cannot be read"))
        elif entry.mode is None:
            standing.pop(pin_key(entry.cid), None)
        else:
            standing[pin_key(entry.cid)] = entry
        position += len(line)
    if position < snapshot.journal_end:
        problems.append(
            _problem(f"the pin journal {path} ends at byte {position}; the catalogue knows {snapshot.journal_end}")
        )
    differences = _differences(snapshot, standing)
    problems += differences[:_MAX_TOLD]
    if len(differences) > _MAX_TOLD:
        problems.append(_problem(f"{len(differences) - _MAX_TOLD} more pins differ between journal and catalogue"))
    return problems


def _differences(snapshot: Snapshot, standing: dict[bytes, JournalEntry]) -> list[Problem]:
    """Pins that differ; empties ``standing``."""
    found: list[Problem] = []
    for cid, row in snapshot.pin_rows():
        entry = standing.pop(pin_key(cid), None)
        if entry is None:
            found.append(_problem(f"{cid} is pinned, and the pin journal does not say so", cid))
        elif entry != JournalEntry(cid, row.mode, row.name, row.created_at, row.profile):
            found.append(_problem(f"the pin of {cid} is another in the pin journal than in the catalogue", cid))
    for entry in standing.values():
        found.append(_problem(f"{entry.cid} is pinned by the pin journal, and not in the catalogue", entry.cid))
    return found


def _problem(message: str, cid: CID | None = None) -> Problem:
    return Problem(ProblemKind.BAD_JOURNAL, message, cid, (cid,) if cid else ())

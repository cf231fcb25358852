"""Queries about uploaded files, one or several by name; lists are in ``file_lists``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import delete, func, literal, select, update
from sqlalchemy.orm import Session

from pinfold.core.errors import FileRecordNotFound, InvalidInput, RecordNotFound
from pinfold.db import changes, dialect, pins, reconciliations, reservations, usage
from pinfold.db.changes import Actor, Change
from pinfold.db.identifiers import new_id
from pinfold.db.models import ContentTypeTotalsRow, FileRow, FileTagRow, PinRow, ProjectRow
from pinfold.db.scope import bound_to

_TOGETHER: Final = 500  # roots asked for at a time
MAX_TAGS: Final = 50
MAX_META_KEYS: Final = 50

Duplicate = Literal["new", "updated"]
"""What an upload made: a file, or a change of the one that the organisation has with this content and name."""
Rows = tuple[FileRow, PinRow]


@dataclass(frozen=True, slots=True)
class NewFile:
    """What a file row is made of."""

    cid: str
    root: str
    name: str
    size_bytes: int
    content_type: str
    profile: str
    block_bytes: int
    """What it counts: see ``FileRow``."""
    is_folder: bool = False
    tags: Sequence[str] = ()
    meta: dict[str, str] = field(default_factory=dict)
    project_id: str | None = None
    created_by: str | None = None
    tier: str | None = None
    replication_factor_min: int = 1
    replication_factor_max: int = 1
    has_own_replication: bool = False
    """It was asked for with this upload, so that a file that is here already gets it as well."""

    @property
    def is_unnamed(self) -> bool:
        """Whether it has no name but that of its content."""
        return self.name == self.cid


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to be changed of a file; None leaves it as it is."""

    name: str | None = None
    tags: Sequence[str] | None = None
    add_tags: Sequence[str] = ()
    remove_tags: Sequence[str] = ()
    meta: dict[str, str] | None = None
    project_id: str | None = None
    leave_project: bool = False


def record(
    session: Session, actor: Actor, new_files: Sequence[NewFile], reservation_id: str | None, now: datetime
) -> list[tuple[FileRow, PinRow, Duplicate]]:
    """The files, each with its pin request, all or none; what was reserved for them is settled.

    A file is one content under one name in one project.  Where the organisation has it already, tags and metadata are
    merged into it.  Content under another name is a file of its own, whose bytes are not counted a second time.
    Raises:  QuotaExceeded, RecordNotFound for a project that is not there, InvalidInput for too many tags.
    """
    change = changes.begin(session, actor, now)
    reservations.settle(session, change, reservation_id)
    uploaded_bytes = sum(new.block_bytes for new in new_files)
    usage.add_upload(session, change.organisation_id, now.date(), uploaded_bytes, len(new_files))
    for project_id in {new.project_id for new in new_files}:
        _require_project(session, project_id)
    known = _Known(session, new_files)
    made: list[tuple[NewFile, FileRow, PinRow]] = []
    outcomes: list[tuple[NewFile, Rows, Duplicate]] = []
    for new in new_files:
        if (same := known.same_file(new)) is not None:
            outcomes.append((new, same, "updated"))
            continue
        sibling = known.sibling(new)
        more_bytes = new.block_bytes if sibling is None else 0
        change.require_room(files=1, logical_bytes=more_bytes)
        if sibling is not None:  # one content has one size, whichever way it came: the last name to go gives it back
            file = sibling[0]
            new = replace(new, size_bytes=file.size_bytes, block_bytes=file.block_bytes)
        rows = _new_rows(change, new)
        change.count(files=1, logical_bytes=more_bytes)
        made.append((new, *rows))
        known.add(new, rows)
        outcomes.append((new, rows, "new"))
    _insert(session, change, made)
    for new, rows, duplicate in outcomes:
        if duplicate == "updated":
            _merge(session, change, *rows, new)
    session.flush()
    reconciliations.mark_all_due(session, {pin.root: pin.priority for _, (_, pin), _ in outcomes}, now)
    return [(*rows, duplicate) for _, rows, duplicate in outcomes]


class _Known:
    """The organisation's files with the content of an upload: what is in the database, and what the upload adds."""

    def __init__(self, session: Session, new_files: Sequence[NewFile]) -> None:
        self._newest: dict[str, Rows] = {}
        self._named: dict[tuple[str, str], list[Rows]] = {}
        roots = list(dict.fromkeys(new.root for new in new_files))
        for begin in range(0, len(roots), _TOGETHER):
            some = roots[begin : begin + _TOGETHER]
            for rows in _newest_of(session, some):
                self._newest[rows[0].root] = rows
        here = [new for new in new_files if new.root in self._newest and not new.is_unnamed]
        for begin in range(0, len(here), _TOGETHER):
            asked = {(new.root, new.name) for new in here[begin : begin + _TOGETHER]}
            for rows in _all_named(session, asked):
                self._named.setdefault((rows[0].root, rows[0].name), []).append(rows)

    def add(self, new: NewFile, rows: Rows) -> None:
        """A file that is about to be inserted."""
        self._newest[new.root] = rows
        self._named.setdefault((new.root, new.name), []).append(rows)

    def sibling(self, new: NewFile) -> Rows | None:
        """The newest file with the same content, whatever its name."""
        return self._newest.get(new.root)

    def same_file(self, new: NewFile) -> Rows | None:
        """The file that ``new`` is once more.

        An upload without a name loses none, so any file with its content will do.  One that names a project never
        takes a file out of another project.
        """
        if new.is_unnamed:
            return self._newest.get(new.root)
        named = self._named.get((new.root, new.name), [])
        fitting = [rows for rows in named if new.project_id is None or rows[0].project_id in (None, new.project_id)]
        return max(fitting, key=lambda rows: rows[0].project_id == new.project_id, default=None)


def _newest_of(session: Session, roots: Sequence[str]) -> Sequence[Rows]:
    """The organisation's newest file of each root that it has one of."""
    own = FileRow.organisation_id == bound_to(session)
    newest = select(func.max(FileRow.number)).where(own, FileRow.root.in_(roots)).group_by(FileRow.root)
    found = session.execute(_joined().where(FileRow.number.in_(newest)))
    return [(row[0], row[1]) for row in found]


def _all_named(session: Session, asked: set[tuple[str, str]]) -> list[Rows]:
    """The organisation's files of these roots and names, the newest first."""
    roots, names = {root for root, _ in asked}, {name for _, name in asked}
    bare_name = FileRow.name + ""  # an index of names would find every index.html there is; that of roots finds few
    found = session.execute(
        _joined().where(FileRow.root.in_(sorted(roots)), bare_name.in_(sorted(names))).order_by(FileRow.number.desc())
    )
    return [(row[0], row[1]) for row in found if (row[0].root, row[0].name) in asked]


def _new_rows(change: Change, new: NewFile) -> Rows:
    pin = pins.new_row(
        change,
        cid=new.cid,
        root=new.root,
        name=new.name,
        of_file=True,
        tier=new.tier,
        replication_factor_min=new.replication_factor_min,
        replication_factor_max=new.replication_factor_max,
    )
    file = FileRow(
        id=new_id(),
        organisation_id=change.organisation_id,
        pin_id=pin.id,
        project_id=new.project_id,
        cid=new.cid,
        root=new.root,
        name=new.name,
        size_bytes=new.size_bytes,
        block_bytes=new.block_bytes,
        content_type=new.content_type,
        is_folder=new.is_folder,
        profile=new.profile,
        tags=[],
        meta=_bounded_meta(new.meta),
        created_by=new.created_by,
        created_at=pin.created_at,  # one time for both: a list of files by status is read from the pins' index
        updated_at=pin.created_at,
    )
    return file, pin


def _insert(session: Session, change: Change, made: Sequence[tuple[NewFile, FileRow, PinRow]]) -> None:
    """Put new files in, with all that goes with them but their counts."""
    pins.insert_all(session, [pin for _, _, pin in made])
    session.add_all(file for _, file, _ in made)
    session.flush()
    types: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for new, file, _ in made:
        _set_tags(session, file, new.tags)
        types[file.content_type] += 1
        sizes[file.content_type] += file.size_bytes
        change.audit("file.created", file.id, cid=new.cid, name=new.name, size=new.size_bytes)
    for content_type in sorted(types):
        _count_type(session, change, content_type, types[content_type], sizes[content_type])
    change.tell_all("file.created", [event(file) for _, file, _ in made])


def _merge(session: Session, change: Change, file: FileRow, pin: PinRow, new: NewFile) -> Rows:
    """The file that is here already, with what the new upload says added; its root is yet to be marked as due."""
    _set_tags(session, file, [*file.tags, *new.tags])
    file.meta = _bounded_meta({**file.meta, **new.meta})
    if new.project_id is not None:
        file.project_id = new.project_id
    file.updated_at = change.now
    if new.has_own_replication:
        pin.tier = new.tier
        pin.replication_factor_min = new.replication_factor_min
        pin.replication_factor_max = new.replication_factor_max
    pins.refresh(pin, change.now)
    change.audit("file.updated", file.id, cid=file.cid, uploaded_again=True, tags=list(new.tags))
    change.tell("file.updated", event(file))
    return file, pin


def _require_project(session: Session, project_id: str | None) -> None:
    if project_id is None:
        return
    if session.scalar(select(ProjectRow.id).where(ProjectRow.id == project_id)) is None:
        raise RecordNotFound(f"there is no project {project_id}")


def project_exists(session: Session, project_id: str) -> bool:
    """Whether the organisation has this project."""
    return session.scalar(select(ProjectRow.id).where(ProjectRow.id == project_id)) is not None


def get(session: Session, file_id: str) -> Rows | None:
    """One file and its pin request."""
    found = session.execute(_joined().where(FileRow.id == file_id)).first()
    return None if found is None else (found[0], found[1])


def find(session: Session, key: str, root: str | None) -> list[Rows]:
    """The file of that id; or all of the organisation's files with the root, where one is given, newest first."""
    if root is not None:
        return _of_root(session, root)
    one = get(session, key)
    return [] if one is None else [one]


def id_of_pin(session: Session, pin_id: str) -> str | None:
    """The id of the file that made a pin request."""
    return session.scalar(select(FileRow.id).where(FileRow.pin_id == pin_id))


def _of_root(session: Session, root: str, limit: int = 1000) -> list[Rows]:
    rows = session.execute(_joined().where(FileRow.root == root).order_by(FileRow.number.desc()).limit(limit))
    return [(row[0], row[1]) for row in rows]


def _joined() -> Any:
    return select(FileRow, PinRow).join(PinRow, PinRow.id == FileRow.pin_id)


def edit(session: Session, actor: Actor, key: str, root: str | None, wish: Edit, now: datetime) -> Rows:
    """The file (of several with one root, the newest) after a change.

    Raises:  FileRecordNotFound, RecordNotFound for a project that is not there, InvalidInput for too many tags.
    """
    change = changes.begin(session, actor, now)
    found = find(session, key, root)
    if not found:
        raise FileRecordNotFound(f"there is no file {key}")
    _edit_one(session, change, found[0][0], wish)
    return found[0]


def edit_many(session: Session, actor: Actor, file_ids: Sequence[str], wish: Edit, now: datetime) -> set[str]:
    """The ids of those that were there, and are changed now.  Raises: InvalidInput, for too many tags on one."""
    change = changes.begin(session, actor, now)
    rows = session.scalars(select(FileRow).where(FileRow.id.in_(file_ids)).order_by(FileRow.number)).all()
    for file in rows:
        _edit_one(session, change, file, wish)
    return {file.id for file in rows}


def _edit_one(session: Session, change: Change, file: FileRow, wish: Edit) -> None:
    _require_project(session, wish.project_id)
    said: dict[str, Any] = {}
    if wish.name is not None and wish.name != file.name:
        said["name"] = file.name = wish.name
        session.execute(update(PinRow).where(PinRow.id == file.pin_id).values(name=wish.name))
    tags = list(file.tags if wish.tags is None else wish.tags)
    tags = [tag for tag in (*tags, *wish.add_tags) if tag not in set(wish.remove_tags)]
    if tags != file.tags:
        _set_tags(session, file, tags)
        said["tags"] = file.tags
    if wish.meta is not None and wish.meta != file.meta:
        file.meta = _bounded_meta(wish.meta)
        said["metadata_keys"] = sorted(file.meta)
    if wish.leave_project or wish.project_id is not None:
        said["project_id"] = file.project_id = wish.project_id
    if said:
        file.updated_at = change.now
        change.audit("file.updated", file.id, **said)
        change.tell("file.updated", event(file))
    session.flush()


def remove(session: Session, actor: Actor, key: str, root: str | None, now: datetime) -> list[FileRow]:
    """The files that are gone now, each with its pin request; none where there was none."""
    change = changes.begin(session, actor, now)
    found = find(session, key, root)
    _remove_all(session, change, found)
    return [file for file, _ in found]


def remove_many(session: Session, actor: Actor, file_ids: Sequence[str], now: datetime) -> set[str]:
    """The ids of those that were there, and are gone now."""
    change = changes.begin(session, actor, now)
    rows = session.execute(_joined().where(FileRow.id.in_(file_ids)).order_by(FileRow.number)).all()
    _remove_all(session, change, [(file, pin) for file, pin in rows])
    return {file.id for file, _ in rows}


def _remove_all(session: Session, change: Change, rows: Sequence[Rows]) -> None:
    if not rows:
        return
    numbers = [file.number for file, _ in rows]
    session.execute(delete(FileRow).where(FileRow.number.in_(numbers)).execution_options(synchronize_session=False))
    _give_back(session, change, [file for file, _ in rows])
    types: dict[str, tuple[int, int]] = {}
    for file, _ in rows:
        session.expunge(file)
        files, size_bytes = types.get(file.content_type, (0, 0))
        types[file.content_type] = files - 1, size_bytes - file.size_bytes
        change.audit("file.deleted", file.id, cid=file.cid, name=file.name, size=file.size_bytes)
    pins.remove_all(session, change, [pin for _, pin in rows])
    for content_type, (files, size_bytes) in sorted(types.items()):
        _count_type(session, change, content_type, files, size_bytes)
    change.tell_all("file.deleted", [event(file) for file, _ in rows])


def _give_back(session: Session, change: Change, gone: Sequence[FileRow]) -> None:
    """Count files that were just deleted no more, and their content where no other name of it is left."""
    size_of = {file.root: file.block_bytes for file in gone}
    left = roots_with_files(session, list(size_of))
    change.count(files=-len(gone), logical_bytes=-sum(size for root, size in size_of.items() if root not in left))


def roots_with_files(session: Session, roots: Sequence[str], without: Collection[str] = ()) -> set[str]:
    """Those of the roots that the organisation has a file of, other than the files of the pin requests ``without``."""
    found: set[str] = set()
    for begin in range(0, len(roots), _TOGETHER):
        some = select(FileRow.root, FileRow.pin_id).where(FileRow.root.in_(roots[begin : begin + _TOGETHER]))
        if not without:
            some = some.with_only_columns(FileRow.root, literal("")).distinct()
        found.update(root for root, pin_id in session.execute(some) if pin_id not in without)
    return found


def event(file: FileRow) -> dict[str, Any]:
    """What a webhook is told of a file."""
    return {"id": file.id, "cid": file.cid, "name": file.name, "size": file.size_bytes, "type": file.content_type}


def _set_tags(session: Session, file: FileRow, tags: Iterable[str]) -> None:
    wanted = list(dict.fromkeys(tags))
    if len(wanted) > MAX_TAGS:
        raise InvalidInput(f"{file.name} would have {len(wanted)} tags; a file takes {MAX_TAGS}")
    gone, come = set(file.tags) - set(wanted), [tag for tag in wanted if tag not in set(file.tags)]
    if gone:
        session.execute(
            delete(FileTagRow)
            .where(FileTagRow.file_number == file.number, FileTagRow.tag.in_(gone))
            .execution_options(synchronize_session=False)
        )
    session.add_all(FileTagRow(organisation_id=file.organisation_id, tag=tag, file_number=file.number) for tag in come)
    if wanted != file.tags:
        file.tags = wanted


def _bounded_meta(meta: dict[str, str]) -> dict[str, str]:
    if len(meta) > MAX_META_KEYS:
        raise InvalidInput(f"the file would have {len(meta)} entries of metadata; it takes {MAX_META_KEYS}")
    return dict(meta)


def _count_type(session: Session, change: Change, content_type: str, files: int, size_bytes: int) -> None:
    row = ContentTypeTotalsRow
    counted = dialect.insert(session, row).values(
        organisation_id=change.organisation_id, content_type=content_type, files=files, bytes=size_bytes
    )
    session.execute(
        counted.on_conflict_do_update(
            index_elements=[row.organisation_id, row.content_type],
            set_={"files": row.files + files, "bytes": row.bytes + size_bytes},
        )
    )

"""What an organisation's files are in numbers."""

from __future__ import annotations

from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.db.file_lists import rows_of
from pinfold.db.files import Rows
from pinfold.db.models import ContentTypeTotalsRow, FileRow, RootTrafficRow


def popular(session: Session, since: date, limit: int) -> list[tuple[Rows, int, int]]:
    """Files that the gateway served most often since a day, with its requests and bytes, most requests first.

    Of several files with one content, which the gateway cannot tell apart, the newest stands for all.
    """
    newest = func.max(FileRow.number)
    names = func.count(FileRow.number.distinct())  # by which the join multiplies the traffic of each day
    requests = func.sum(RootTrafficRow.requests) // names
    egress = func.sum(RootTrafficRow.egress_bytes) // names
    served = session.execute(
        select(newest, requests, egress)
        .join(RootTrafficRow, RootTrafficRow.root == FileRow.root)
        .where(RootTrafficRow.day >= since)
        .group_by(FileRow.root)
        .order_by(requests.desc(), newest.desc())
        .limit(limit)
    ).all()
    rows = rows_of(session, [number for number, _, _ in served])
    traffic = {number: (int(asked), int(sent)) for number, asked, sent in served}
    return [(row, *traffic[row[0].number]) for row in rows]


def content_types(session: Session, limit: int) -> list[tuple[str, int, int]]:
    """Per content type its files and their bytes, most bytes first."""
    row = ContentTypeTotalsRow
    found = session.execute(
        select(row.content_type, row.files, row.bytes)
        .where(row.files > 0)
        .order_by(row.bytes.desc(), row.content_type)
        .limit(limit)
    )
    return [(kind, files, size) for kind, files, size in found]


def totals(session: Session) -> tuple[int, int]:
    """How many files there are, and their bytes together, without those of pin requests."""
    row = ContentTypeTotalsRow
    files, size = session.execute(
        select(func.coalesce(func.sum(row.files), 0), func.coalesce(func.sum(row.bytes), 0))
    ).one()
    return int(files), int(size)

"""``pinfold audit verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Organisation
    from pinfold.services.audit.service import AuditFinding


def command(
    org: Annotated[
        str | None, typer.Option("--org", metavar="SLUG", help="The organisation.  Default: all of them.")
    ] = None,
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Prove that audit logs are as they were written.

    Each row carries the hash of the one before, so a row that was changed, removed, put in or cut off is found.  All
    organisations, or one.  Exit code 63 where anything is wrong.

    --json prints {"organisation", "ok", "rows", "broken_at", "reason"} for each organisation.

    Example:
      pinfold audit verify
    """

    async def verify(admin: Administration) -> list[tuple[Organisation, AuditFinding]]:
        from pinfold.app.administration import every
        from pinfold.services.accounts import operator

        anyone = operator("")
        if org is not None:
            chosen = [await admin.organisation(org)]
        else:
            listed = every(lambda page: admin.organisations.page(anyone, page), lambda one: one.id)
            chosen = [one async for one in listed]
        return [(one, await admin.audit.verify(one.id)) for one in chosen]

    found = administer(data_dir, verify)
    for one, finding in found:
        ok = finding.broken_at is None
        if as_json:
            output.json_line(
                {
                    "organisation": one.slug,
                    "ok": ok,
                    "rows": finding.rows,
                    "broken_at": finding.broken_at,
                    "reason": finding.reason,
                }
            )
        else:
            output.line(
                f"{one.slug}: " + (f"all {finding.rows:,} rows are as they were written" if ok else finding.reason)
            )
    broken = [one.slug for one, finding in found if finding.broken_at is not None]
    if broken:
        from pinfold.core.errors import VerificationFailed

        raise VerificationFailed(f"the audit log of {', '.join(broken)} is not as it was written")

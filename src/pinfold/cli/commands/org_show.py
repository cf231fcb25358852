"""``pinfold org show``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pinfold.cli import output
from pinfold.cli.administering import administer, described, fields_of
from pinfold.cli.options import DataDir, Json

if TYPE_CHECKING:
    from pinfold.app.administration import Administration
    from pinfold.services.accounts.records import Member, Organisation, Plan


def command(
    org: Annotated[str, typer.Argument(metavar="SLUG", help="The organisation.")],
    as_json: Json = False,
    data_dir: DataDir = None,
) -> None:
    """Show one organisation and its members.

    A quota that the organisation has not of its own is its plan's, and marked so.

    --json prints {"id", "name", "slug", "plan", "status", "quota_bytes", "quota_files", "quota_pins",
    "quota_requests_per_day", "created_at", "updated_at", "members"}; a member is {"user_id", "email", "name", "role"}.

    Example:
      pinfold org show acme-research
    """

    async def show(admin: Administration) -> tuple[Organisation, Plan, list[Member]]:
        from pinfold.app.administration import every
        from pinfold.services.accounts import operator

        found = await admin.organisation(org)
        caller = operator(found.id)
        members = every(lambda page: admin.members.page(caller, page), lambda one: one.user_id)
        (plan,) = [one for one in await admin.organisations.plans(caller) if one.name == found.plan]
        return found, plan, [one async for one in members]

    found, plan, members = administer(data_dir, show)
    if as_json:
        people = [fields_of(one, "user_id", "email", "name", "role") for one in members]
        output.json_line({**fields_of(found), "members": people})
        return
    described(
        [
            ("slug", found.slug),
            ("name", found.name),
            ("id", found.id),
            ("plan", found.plan),
            ("status", found.status),
            ("quota of bytes", _quota(found.quota_bytes, plan.quota_bytes)),
            ("quota of files", _quota(found.quota_files, plan.quota_files)),
            ("quota of pins", _quota(found.quota_pins, plan.quota_pins)),
            ("requests a day", _quota(found.quota_requests_per_day, plan.quota_requests_per_day)),
            ("since", found.created_at),
            *((one.role, one.email) for one in members),
        ]
    )


def _quota(own: int | None, of_plan: int | None) -> str:
    if own is not None:
        return str(own)
    return ("no limit" if of_plan is None else str(of_plan)) + " (of the plan)"

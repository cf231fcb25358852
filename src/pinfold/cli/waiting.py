"""Waiting for pin requests of a server, with progress on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from pinfold.cli import output
from pinfold.core.errors import FetchFailed, TimedOut

if TYPE_CHECKING:
    from pinfold.client import Server

_FIRST_PAUSE_S: Final = 0.1  # small content is pinned at once
_LONGEST_PAUSE_S: Final = 2.0  # the server notes progress once a second
_PAUSE_GROWTH: Final = 1.5


def wait_for_all(
    server: Server, requests: Sequence[dict[str, Any]], timeout_s: int | None, ended: Callable[[dict[str, Any]], None]
) -> None:
    """Return once every request is pinned; ``ended`` is called with each as soon as it is pinned or has failed.

    A request counts as failed with its first failed attempt, although the server may try again.

    Raises:  FetchFailed with the reasons, once all have ended; TimedOut; KeyboardInterrupt.  The requests stay.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    waiting = {str(one["id"]): one for one in requests}
    failed: list[dict[str, Any]] = []
    said: dict[str, str] = {}
    pause_s = _FIRST_PAUSE_S
    try:
        while True:
            for key in list(waiting):
                report = server.pin_status(str(waiting[key]["cid"]))
                now = next((one for one in report["requests"] if str(one["id"]) == key), None)
                if now is None:
                    raise FetchFailed(f"the request for {waiting[key]['cid']} was removed meanwhile")
                if now["pinStatus"] in ("pinned", "failed"):
                    del waiting[key]
                    ended(now)
                    failed += [now] if now["pinStatus"] == "failed" else []
                elif (progress := _progress(now, report)) != said.get(key):
                    said[key] = progress
                    output.note(progress)
            if not waiting:
                break
            left_s = None if deadline is None else deadline - time.monotonic()
            if left_s is not None and left_s <= 0:
                names = ", ".join(str(one["cid"]) for one in waiting.values())
                raise TimedOut(f"not pinned within {timeout_s} s: {names}", hint=_STAYS)
            time.sleep(pause_s if left_s is None else min(pause_s, left_s))
            pause_s = min(pause_s * _PAUSE_GROWTH, _LONGEST_PAUSE_S)
    except KeyboardInterrupt:
        output.note(_STAYS)
        raise
    if failed:
        reasons = "; ".join(f"{one['cid']}: {output.printable(str(one['error']))}" for one in failed)
        raise FetchFailed(f"{len(failed)} of {len(requests)} failed: {reasons}", hint=_STAYS)


_STAYS: Final = (
    "The requests stay on the server, which goes on with them: `pinfold pins status CID` says how each stands, "
    "`pinfold pins rm` removes one."
)


def _progress(request: dict[str, Any], report: dict[str, Any]) -> str:
    text = f"{request['pinStatus']} {request['cid']}"
    progress = report.get("progress")
    if not progress or request["pinStatus"] != "pinning":
        return text
    return f"{text}  {output.count(progress['blocks'], 'block')}, {output.size(progress['bytes'])}"

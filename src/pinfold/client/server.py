"""The API of one server, call by call; refusals come back as the errors that the server raised."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final

import httpx

from pinfold.client.login import Login
from pinfold.core import errors
from pinfold.core.errors import FetchFailed, PinfoldError
from pinfold.version import __version__

_TIMEOUT: Final = httpx.Timeout(60.0, connect=10.0)
_UPLOAD_TIMEOUT: Final = httpx.Timeout(600.0, connect=10.0)  # the server reads, hashes and syncs before it answers
_PAGE: Final = 100  # what lists give at most

Query = Mapping[str, str | int | Sequence[str] | None]


def _classes() -> dict[str, type[PinfoldError]]:
    found, waiting = {}, [PinfoldError]
    while waiting:
        one = waiting.pop()
        found[one.code] = one
        waiting += one.__subclasses__()
    return found


_CLASS_OF_CODE: Final = _classes()


class Server:
    """A server and a token; use it in a ``with``.

    Raises:  from every call FetchFailed where the server cannot be reached or does not speak as a Pinfold, and what
             the server refused with otherwise, with the server's own sentence and hint.
    """

    def __init__(self, login: Login, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = login.server
        self._http = httpx.Client(
            base_url=login.server,
            headers={
                "User-Agent": f"pinfold/{__version__}",
                **({"Authorization": f"Bearer {login.token}"} if login.token else {}),  # nobody yet, who signs in
            },
            timeout=_TIMEOUT,
            follow_redirects=False,  # a redirect would carry the token elsewhere
            transport=transport,
        )

    # -- who ---------------------------------------------------------------------------------------------------------

    def me(self) -> dict[str, Any]:
        """Who the token belongs to, and what it may do."""
        return self._data("GET", "/api/v1/me")

    def organisation(self) -> dict[str, Any]:
        """The organisation that the token works in; this takes ``org:read``."""
        return self._data("GET", "/api/v1/organisation")

    def sign_in(self, email: str, password: str, organisation: str = "") -> str:
        """The token of a new session; in the organisation that was joined first where none is named by slug or id."""
        who = {"email": email, "password": password, "organisation": organisation}
        return self._token("/api/v1/sessions", who)

    def accept_invitation(self, invitation: str, name: str | None, password: str) -> str:
        """The token of a session of the invited, who is a member now; a new user needs no ``name`` either."""
        answer = {"token": invitation, "password": password} | ({} if name is None else {"name": name})
        return self._token("/api/v1/invitations/accept", answer)

    def sign_out(self) -> None:
        """End the session that the token is of."""
        self._data("DELETE", "/api/v1/sessions")

    def _token(self, path: str, body: Mapping[str, str]) -> str:
        token = self._data("POST", path, body=body).get("token")
        if not isinstance(token, str) or not token:
            raise FetchFailed(f"{self.url} gave no session", hint="Is this the URL of its API?")
        return token

    # -- files -------------------------------------------------------------------------------------------------------

    def missing(self, cids: Sequence[str], *, root: str) -> list[str]:
        """Which of ``cids`` this organisation cannot see there."""
        found: list[str] = self._data("POST", "/api/v1/files/missing", body={"root": root, "cids": cids})["missing"]
        return found

    def upload_car(self, car: Iterable[bytes], size_bytes: int, query: Query) -> list[dict[str, Any]]:
        """Send a CAR; the records of its roots.  The rest of each DAG must be there already."""
        headers = {"Content-Type": "application/vnd.ipld.car", "Content-Length": str(size_bytes)}
        data = self._ask(
            "POST", "/api/v1/files/car", query=query, content=car, headers=headers, timeout=_UPLOAD_TIMEOUT
        )["data"]
        return data if isinstance(data, list) else [data]

    def files(self, query: Query) -> Iterator[dict[str, Any]]:
        """Every file that the query asks for, newest first, page after page."""
        return self._pages("/api/v1/files", query)

    def delete_file(self, id_or_cid: str) -> dict[str, Any]:
        """Forget a file."""
        return self._data("DELETE", f"/api/v1/files/{_segment(id_or_cid)}")

    # -- pins --------------------------------------------------------------------------------------------------------

    def pin(self, cid: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Ask for a pin; the request."""
        return self._data("POST", "/api/v1/pins", body={"cid": cid, **fields})

    def pins(self, query: Query) -> Iterator[dict[str, Any]]:
        """Every pin request that the query asks for, newest first, page after page."""
        return self._pages("/api/v1/pins", query)

    def pin_status(self, cid: str) -> dict[str, Any]:
        """How a CID stands."""
        return self._data("GET", f"/api/v1/pins/{_segment(cid)}/status")

    def unpin(self, id_or_cid: str) -> dict[str, Any]:
        """Take pin requests back."""
        return self._data("DELETE", f"/api/v1/pins/{_segment(id_or_cid)}")

    # -- how ---------------------------------------------------------------------------------------------------------

    def _pages(self, path: str, query: Query) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            answer = self._ask("GET", path, query={"limit": _PAGE, **query, "cursor": cursor})
            yield from answer["data"]
            cursor = (answer.get("pagination") or {}).get("next_cursor")
            if not cursor:
                return

    def _data(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        data: dict[str, Any] = self._ask(method, path, **request)["data"]
        return data

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        content: Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout = _TIMEOUT,
    ) -> dict[str, Any]:
        sent = dict(headers or {})
        if body is not None:
            content, sent["Content-Type"] = [json.dumps(body).encode()], "application/json"
        params = {name: value for name, value in (query or {}).items() if value is not None and value != []}
        try:
            response = self._http.request(method, path, params=params, content=content, headers=sent, timeout=timeout)
        except httpx.HTTPError as exc:
            raise FetchFailed(f"{self.url} cannot be reached: {exc or type(exc).__name__}", hint="") from exc
        return self._read(response)

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if isinstance(answer, dict):
            if answer.get("success") is True and "data" in answer and response.is_success:
                return answer
            if "error" in answer and "code" in answer and not response.is_success:
                raise _error(answer)
        raise FetchFailed(
            f"{self.url} answered {response.status_code} in a way that no Pinfold does",
            hint="Is this the URL of its API, and is every proxy before it well?",
        )

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()


def _error(answer: dict[str, Any]) -> PinfoldError:
    # A code that this version does not know is of a newer server: its sentence still says what is wrong.
    kind = _CLASS_OF_CODE.get(str(answer["code"]), errors.PinfoldError)
    return kind(str(answer["error"]), hint=str(answer.get("hint") or ""))


def _segment(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")

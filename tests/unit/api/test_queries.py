"""A query is read as its endpoint declares it: a name that is not declared is refused, not ignored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlencode

from pinfold.api.pinning.query import with_meta_as_json
from tests.support.endpoints import endpoints
from tests.support.platform import platform, run

CID = "bafkreieu7kssc4cfequph2r4a4zm4sll7hzsn46l2thih4cboior2ejmxy"


def test_every_endpoint_refuses_a_query_parameter_that_it_does_not_declare(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, anonymous_requests=0) as at:
            taken = []
            for endpoint in endpoints():
                answer = await at.api.request(endpoint.method, re.sub("{.*?}", "x", endpoint.path) + "?surely_none=1")
                if answer.status_code != 400 or (endpoint.method != "HEAD" and "surely_none" not in answer.text):
                    taken.append((str(endpoint), answer.status_code))
            assert taken == []

    run(go())


REFUSED = {  # and what the answer says of it
    "/api/v1/files?tags=tus": ["'tags'", "tag?"],
    "/api/v1/files?statuss=pinned": ["'statuss'", "status?"],
    "/api/v1/files?contenttype=x": ["'contenttype'", "content_type"],
    "/api/v1/files?search=a&search=b": ["search", "2"],
    "/api/v1/files?limit=1&limit=1": ["limit", "2"],
    "/api/v1/files?sort=name&sortBy=name": ["sortBy", "sort"],
    "/psa/pins?cids=x": ["'cids'", "cid?"],
    "/psa/pins?limit=1&limit=2": ["limit"],
    "/psa/pins?meta%5Ba%5D=1&meta%5Ba%5D=2": ["'a'", "twice"],
    "/psa/pins?meta%5Ba%5D=1&meta=%7B%7D": ["meta", "2"],
    "/psa/pins/x?meta%5Ba%5D=1": ["meta[a]"],
    "/ping?" + "&".join(["x=1"] * 300): ["200"],
}


def test_a_refusal_names_the_parameter_and_what_is_right(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for path, words in REFUSED.items():
                answer = await at.api.get(path)
                assert answer.status_code == 400, path
                assert all(word in answer.text for word in words), answer.text

    run(go())


def test_other_names_and_forms_of_parameters_mean_the_same(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            for name in ("b.txt", "a.png", "c.txt"):
                await at.upload(name.encode(), name)
            by = "content_type=text/plain&sort=name&order=desc"
            names = [one["name"] for one in (await at.api.get(f"/api/v1/files?{by}")).json()["data"]]
            assert names == ["c.txt", "b.txt"]
            aliased = "contentType=text/plain&sortBy=name&sortOrder=desc"
            assert [one["name"] for one in (await at.api.get(f"/api/v1/files?{aliased}")).json()["data"]] == names

            meta = {"app": "blog & more", "page": "1=ü"}
            await at.api.post("/psa/pins", json={"cid": CID, "meta": meta})
            await at.api.post("/psa/pins", json={"cid": CID, "meta": {"app": "other"}})
            every = "status=queued,pinning,pinned,failed"
            nested = {f"meta[{key}]": value for key, value in meta.items()}
            for query in ({"meta": json.dumps(meta)}, nested, {"meta[page]": "1=ü"}):
                found = (await at.api.get(f"/psa/pins?{every}&{urlencode(query)}")).json()
                assert [one["pin"]["meta"] for one in found["results"]] == [meta], query

    run(go())


def test_meta_stays_as_it_is_where_it_is_json() -> None:
    assert with_meta_as_json("meta=%7B%22a%22%3A%22b%22%7D&name=meta[x]") == "meta=%7B%22a%22%3A%22b%22%7D&name=meta[x]"


def test_a_path_with_a_slash_at_its_end_is_the_same_path(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, max_upload_bytes=200_000) as at:
            begun = await at.api.post("/api/v1/files/tus/", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "3"})
            assert begun.status_code == 201
            assert begun.headers["location"].startswith("/api/v1/files/tus/")
            kept = await at.api.post("/api/v1/files/upload/", files={"file": ("a.bin", b"x" * 100_000)})
            assert kept.status_code == 201, kept.text  # of a size that only the streamed path takes
            file = kept.json()["data"]
            assert (await at.api.get(f"/api/v1/files/{file['id']}/")).json()["data"]["name"] == "a.bin"
            assert (await at.api.get("/psa/pins/?limit=1")).status_code == 200
            assert (await at.api.delete(f"/api/v1/files/{file['id']}/")).status_code == 200
            assert (await at.api.get("/api/v1/files//")).status_code == 404
            assert (await at.api.get("/api/v1/files/a%2F")).status_code == 404
            home = await at.api.get("/", headers={"Host": "inside:3000"})
            assert (home.status_code, home.headers["location"]) == (307, "/docs")

    run(go())


def test_head_is_answered_as_get_is_without_a_body(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path, metrics_access="anyone") as at:
            file = await at.upload(b"hello")
            paths = (
                "/",
                "/docs",
                "/openapi.json",
                "/ping",
                "/health",
                "/ready",
                "/metrics",
                "/api/v1/files",
                "/psa/pins",
            )
            for path in (*paths, f"/api/v1/files/{file['id']}", "/api/v1/nothing", "/api/v1/pins?limit=0"):
                get, head = await at.api.get(path), await at.api.head(path)
                assert head.status_code == get.status_code, path
                assert head.content == b""
                names = {"content-type", "content-length", "location", "etag", "cache-control"}
                if path == "/metrics":  # which counts the request before it
                    names -= {"content-length", "etag"}
                for name in names:
                    assert head.headers.get(name) == get.headers.get(name), (path, name)
            counted = (await at.api.get("/metrics")).text
            assert 'method="HEAD",route="/api/v1/files/{id}",status="200"' in counted
            assert (await at.api.head("/api/v1/files", headers={"Authorization": "Bearer nobody"})).status_code == 401

    run(go())

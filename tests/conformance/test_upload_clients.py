"""Other people's upload clients: tus-js-client with the extensions it knows, and Uppy on a page of another origin."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from engines.get_chromium import CHROMIUM

from pinfold.node import Node
from tests.support.cli import Pinfold
from tests.support.npm import run_script
from tests.support.up import Up

SIZE = 3_000_000

TUS = """
    import { Readable } from 'node:stream'
    import * as tus from 'tus-js-client'
    const [endpoint, token, size] = process.argv.slice(2)
    const data = Buffer.alloc(Number(size))
    for (let at = 0; at < data.length; at++) data[at] = (at * 31 + (at >> 8)) & 255
    const upload = (input, options) => new Promise((resolve, reject) => {
        const one = new tus.Upload(input, {
            endpoint,
            headers: { Authorization: `Bearer ${token}` },
            retryDelays: null,
            onError: reject,
            onSuccess: ({ lastResponse }) => resolve([lastResponse.getHeader('Pinfold-File-Id'), one.url]),
            ...options,
        })
        one.start()
    })
    const named = (filename) => ({ metadata: { filename, filetype: 'application/octet-stream' } })
    console.log(JSON.stringify({
        plain: await upload(data, { ...named('plain.bin'), uploadDataDuringCreation: true }),
        chunked: await upload(data, { ...named('chunked.bin'), chunkSize: 1000000 }),
        parallel: await upload(data, { ...named('parallel.bin'), parallelUploads: 3 }),
        deferred: await upload(Readable.from([data.subarray(0, 1234567), data.subarray(1234567)]), {
            ...named('deferred.bin'), uploadLengthDeferred: true, chunkSize: 1000000,
        }),
    }))
"""

UPPY = """
    import { createServer } from 'node:http'
    import { build } from 'esbuild'
    import { chromium } from 'playwright-core'
    const [program, api, token] = process.argv.slice(2)
    const { outputFiles: [bundle] } = await build({
        stdin: {
            resolveDir: process.cwd(),
            contents: `
                import Uppy from '@uppy/core'
                import Tus from '@uppy/tus'
                import XHR from '@uppy/xhr-upload'
                window.send = async (how, api, token, name, text) => {
                    const uppy = new Uppy()
                    const headers = { Authorization: 'Bearer ' + token }
                    if (how === 'tus') uppy.use(Tus, { endpoint: api + '/api/v1/files/tus', headers })
                    else uppy.use(XHR, { endpoint: api + '/api/v1/files/upload', headers })
                    uppy.addFile({ name, type: 'text/plain', data: new Blob([text], { type: 'text/plain' }) })
                    const { successful, failed } = await uppy.upload()
                    return [successful.map((one) => one.name), failed.map((one) => String(one.error))]
                }
            `,
        },
        bundle: true, format: 'iife', write: false, logLevel: 'silent',
    })
    const script = bundle.text.replaceAll('</script', '<\\\\/script')
    const page_of = `<!doctype html><meta charset=utf-8><script>${script}</script>`
    const pages = createServer((request, response) => {
        response.setHeader('Content-Type', 'text/html; charset=utf-8')
        response.end(page_of)
    })
    await new Promise((resolve) => pages.listen(Number(new URL(process.argv[5]).port), '127.0.0.1', resolve))
    const browser = await chromium.launch({ executablePath: program, args: ['--no-sandbox', '--disable-gpu'] })
    try {
        const page = await browser.newPage()
        await page.goto(process.argv[5])
        const said = {}
        for (const how of ['tus', 'xhr']) {
            const file = [`${how} é.txt`, `by ${how}`]
            said[how] = await page.evaluate((all) => window.send(...all), [how, api, token, ...file])
        }
        console.log(JSON.stringify(said))
    } finally {
        await browser.close()
        pages.close()
    }
"""


def content() -> bytes:
    return bytes((at * 31 + (at >> 8)) & 255 for at in range(SIZE))


@pytest.mark.npm
def test_tus_js_client_uploads_whole_in_chunks_in_parallel_parts_and_of_unknown_length(tmp_path: Path) -> None:
    with Up(Pinfold(tmp_path)) as up:
        said = json.loads(run_script(TUS, f"{up.api_url}/api/v1/files/tus", up.token, str(SIZE)))
        files = {one["name"]: one for one in up.api.get("/api/v1/files").json()["data"]}
        assert sorted(files) == ["chunked.bin", "deferred.bin", "parallel.bin", "plain.bin"]
        for how, (_, place) in said.items():
            became = up.api.get(place).json()["data"]
            assert (became["file_id"], became["length"]) == (files[f"{how}.bin"]["id"], SIZE)
    with Node(tmp_path / "adding") as node:
        cid = node.add_bytes(content())
    assert {one["cid"] for one in files.values()} == {str(cid)}


@pytest.mark.npm
@pytest.mark.chromium
def test_uppy_uploads_from_a_page_of_another_origin(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with Up(Pinfold(tmp_path), cors_origins=origin) as up:
        said = json.loads(run_script(UPPY, str(CHROMIUM), up.api_url, up.token, origin))
        assert said == {"tus": [["tus é.txt"], []], "xhr": [["xhr é.txt"], []]}
        files = {one["name"]: one for one in up.api.get("/api/v1/files").json()["data"]}
        assert sorted(files) == ["tus é.txt", "xhr é.txt"]
        assert [files[name]["size"] for name in sorted(files)] == [len("by tus"), len("by xhr")]
        assert {one["content_type"] for one in files.values()} == {"text/plain"}

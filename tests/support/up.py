"""``pinfold up``, or one role of it, as a real process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar

import httpx

from tests.support.cli import TIMEOUT_S, Pinfold
from tests.support.warm import WARM, WarmProcess

PATIENCE_S = 30.0  # for a start or a state, on a machine that runs many other tests


class Up:
    """One running ``pinfold up`` (or ``role``); killed at the end of the ``with`` where it still runs."""

    _is_cold: ClassVar = False

    def __init__(self, pinfold: Pinfold, *args: str, role: str = "up", token: str = "", **settings: str) -> None:
        environment = {
            **pinfold.environment,
            "PINFOLD_API_ADDRESS": "127.0.0.1:0",
            "PINFOLD_GATEWAY_ADDRESS": "127.0.0.1:0",
            **{f"PINFOLD_{name.upper()}": value for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | WarmProcess
        out, its_out = os.pipe()
        err, its_err = os.pipe()
        if self._is_cold:
            self.process = subprocess.Popen(
                pinfold.command(role, *args), cwd=pinfold.work, env=environment, stdout=its_out, stderr=its_err
            )
        else:
            self.process = WARM.start((role, *args), (0, its_out, its_err), cwd=pinfold.work, env=environment)
        os.close(its_out)
        os.close(its_err)
        self._out, self._err = os.fdopen(out), os.fdopen(err)
        self.banner = ""
        self.log = ""
        self._reading = threading.Thread(target=self._read_log, daemon=True)
        self._reading.start()
        self._read_banner()
        self.api_url = self._address("API") if role in ("up", "api") else ""
        self.gateway_url = self._address("gateway") if role in ("up", "gateway") else ""
        self.status_url = self._address("status") if "status_address" in settings else ""
        named = re.search(r"Your token is in (.+), which only you can read", self.banner)
        self.first_token = Path(named[1]).read_text().strip() if named else None
        self.token = self.first_token or token
        self.api = httpx.Client(
            base_url=self.api_url, headers={"Authorization": f"Bearer {self.token}"}, timeout=TIMEOUT_S
        )
        self.gateway = httpx.Client(base_url=self.gateway_url, timeout=TIMEOUT_S)

    def _read_log(self) -> None:
        with self._err:
            for line in self._err:
                self.log += line

    def _read_banner(self) -> None:
        for line in self._out:
            self.banner += line
            if "stops it" in line:
                return
        self.process.wait(TIMEOUT_S)  # it closed its output, so it ends
        self._reading.join(TIMEOUT_S)
        self._out.close()
        raise AssertionError(f"it did not start: {self.banner}{self.log}")

    def _address(self, name: str) -> str:
        found = re.search(rf"{name} +(http://\S+)", self.banner)
        assert found, self.banner
        return found[1]

    def upload(self, data: bytes | Path, name: str = "a.txt") -> dict[str, Any]:
        """The record of an uploaded file."""
        content = data.read_bytes() if isinstance(data, Path) else data
        response = self.api.post("/api/v1/files/upload", files={"file": (name, content)})
        assert response.status_code == 201, response.text
        record: dict[str, Any] = response.json()["data"]
        return record

    def until_pinned(self, cid: str) -> dict[str, Any]:
        """How the CID stands once it is pinned."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            report: dict[str, Any] = self.api.get(f"/api/v1/pins/{cid}/status").json()["data"]
            if report["pinStatus"] == "pinned":
                return report
            time.sleep(0.01)
        raise AssertionError(f"not pinned: {report}")

    def resident_bytes(self) -> int:
        """Memory in use now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)  # the peak, so that nothing between two looks is missed
        assert found
        return int(found[1]) * 1024

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Its exit code."""
        code = self.process.wait(TIMEOUT_S)
        self._reading.join(TIMEOUT_S)
        return code

    def __enter__(self) -> Up:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.api.close()
        self.gateway.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(TIMEOUT_S)
        self._reading.join(TIMEOUT_S)
        self._out.close()


class ColdUp(Up):
    """One that loads by itself, for what is said of its memory and of its time."""

    _is_cold = True

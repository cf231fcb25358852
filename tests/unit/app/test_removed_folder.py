"""What a running platform says when its folder is taken away."""

from __future__ import annotations

from pathlib import Path

from tests.support.platform import platform, run


def test_health_notices_that_the_data_folder_was_removed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with platform(tmp_path / "data") as at:
            (tmp_path / "data").rename(tmp_path / "elsewhere")
            gone = await at.api.get("/health")
            assert gone.status_code == 503
            assert "is not there any more" in gone.json()["data"]["checks"]["engine"]
            (tmp_path / "elsewhere").rename(tmp_path / "data")
            assert (await at.api.get("/health")).status_code == 200

    run(scenario())

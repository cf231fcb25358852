"""A real Chromium at ``.engines/bin/chromium``, which tests drive with Playwright.

1. What is there and new enough stays; 2. else ``chromium`` or ``google-chrome`` from PATH, linked; 3. else Debian's
package, unpacked; 4. else Unavailable says why, and ADVICE how to get it.
"""

from __future__ import annotations

from pathlib import Path

from engines import from_debian
from engines.places import BIN, Unavailable, Version, dotted, link, on_path, reported_version

CHROMIUM = BIN / "chromium"
WHERE_FROM = "no Chromium here; run make engines"

CHROMIUM_MINIMUM = (120, 0, 0)  # the oldest with all that the pages and clients of the tests use

ADVICE = f"""\
Any one of these brings Chromium, then run make engines again:
  - put chromium {CHROMIUM_MINIMUM[0]} or newer on PATH (apt or brew has one);
  - on Debian or Ubuntu, let apt-get reach a package mirror."""


def chromium_version(program: Path) -> Version | None:
    """The version of a Chromium; None when it is too old or does not run."""
    version = reported_version([str(program), "--version", "--no-sandbox"])
    return version if version is not None and version >= CHROMIUM_MINIMUM else None


def get_chromium() -> str:
    """Make ``.engines/bin/chromium`` a new enough Chromium and say how; Unavailable when no way is open."""
    present = chromium_version(CHROMIUM)
    if present is not None:
        return f"Chromium {dotted(present)} is at {CHROMIUM}"
    for name in ("chromium", "google-chrome"):
        elsewhere = on_path(name)
        if elsewhere is not None and chromium_version(elsewhere) is not None:
            link("chromium", elsewhere)
            return f"Chromium from PATH ({elsewhere}) is linked at {CHROMIUM}"
    from_debian.bring("chromium")
    from_debian.wrap("chromium", from_debian.DEBIAN / "usr" / "lib" / "chromium" / "chromium")
    version = chromium_version(CHROMIUM)
    if version is None:
        raise Unavailable(f"the Chromium of this Debian is older than {dotted(CHROMIUM_MINIMUM)} or does not run")
    return f"Chromium {dotted(version)} was unpacked from Debian's package and is at {CHROMIUM}"


def chromium_is_here() -> bool:
    """Whether ``make engines`` has brought a Chromium."""
    return CHROMIUM.exists()

"""Start the command line, loading as little as the words ask for."""

from __future__ import annotations

import sys

from pinfold.version import __version__


def main() -> None:
    """Run ``pinfold`` with this process's arguments."""
    try:
        _run()
    except OSError as exc:  # --version, where nobody takes it
        sys.stderr.write(f"Error: {exc.strerror}\n")
        sys.exit(1)
    except KeyboardInterrupt:  # while loading, before the command line can tell it itself
        sys.stderr.write("Error: interrupted; nothing was done\n")
        sys.exit(130)


def _run() -> None:
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:  # typer alone costs more than this answer may
        sys.stdout.write(f"pinfold {__version__}\n")
        sys.stdout.flush()
        return
    if sys.argv[1:2] == ["--complete"]:  # a shell asks at every press of TAB
        from pinfold.cli.completing import answer

        answer(sys.argv[2:])
        return
    from pinfold.cli.main import run

    run()


if __name__ == "__main__":
    main()

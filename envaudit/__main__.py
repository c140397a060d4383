"""The entry point. ``--version`` is answered before anything else is imported."""

import sys

from envaudit import __version__


def main() -> int:
    """Run the command line of this process and return its exit code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        sys.stdout.write(f"envaudit {__version__}\n")
        return 0
    try:
        from envaudit.cli import main as run

        return run(sys.argv[1:])
    except KeyboardInterrupt:  # before the command line could take over
        sys.stderr.write("envaudit: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())

"""The command line: `python -m tests.incidents [replay]`."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.incidents import incidents, record
from tests.incidents.measure import measure
from tests.incidents.replay import replay


def make(chosen: list[str]) -> int:
    """Make incidents again, say how each ended, and record it. The incidents that were not chosen stay as recorded."""
    known, found = incidents(), dict(record.load())
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if found:
            record.unpack(folder)
        for name in chosen or known:
            incident = known[name]
            try:
                found[name] = replay(incident, folder)
            except (LookupError, RuntimeError) as error:
                failed += 1
                print(f"{name}: not replayed: {error}", file=sys.stderr, flush=True)
                continue
            home, served = found[name]
            told = "" if served.kind == incident.happened else f"  NOT {incident.happened}"
            print(
                f"{name:22} home {home.kind} {home.error} | {served.kind} {served.error}: {served.message[:90]}{told}"
            )
        record.write({name: replayed for name, replayed in found.items() if name in known}, folder)
    return failed > 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.incidents", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    making = commands.add_parser("replay", help="make the incidents again and record what happened")
    for parsing in (parser, making):
        parsing.add_argument("--id", action="append", default=[], choices=list(incidents()), metavar="ID")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/incidents.md")
    arguments = parser.parse_args()
    return make(arguments.id) if arguments.command == "replay" else measure(arguments.id, arguments.markdown)


if __name__ == "__main__":
    sys.exit(main())

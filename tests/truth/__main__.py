"""The command line of the load matrix: `python -m tests.truth build|prepare|record|show`."""

from __future__ import annotations

import argparse
import collections
import fnmatch
import itertools
import sys
import time

from tests import truth
from tests.truth import archive, matrix, recipes, record

Recorded = dict[tuple[str, str], dict[str, truth.Outcome]]
KINDS = ("fine", "different", "predict_error", "load_error")


def build(part: str, chosen: list[str], *, loads: bool) -> int:
    """Make what is missing: environments and files, and with `loads` outcomes and the record."""
    started = time.monotonic()
    names = recipes.make(chosen or recipes.part(part))
    _say(started, f"{len(names)} environments")
    matrix.make_files(names)
    truth.files.cache_clear()
    _say(started, f"{sum(len(truth.files(name)) for name in names)} files")
    if not loads:
        return 0
    matrix.make_outcomes(names)
    _say(started, "every file was loaded in every environment")
    compared, changed = record.differences(names)
    _say(started, f"{changed} of {compared} outcomes are not as recorded" + (" (see `record`)" if changed else ""))
    return 0


def write(part: str) -> int:
    """Write what fixtures/truth keeps of a part anew from what is on this machine."""
    names = recipes.part(part)
    if missing := [name for name in names if not matrix.complete(name, names)]:
        print(f"not recorded, for this machine has no outcomes of {', '.join(missing)}", file=sys.stderr)
        return 1
    record.write(part)
    archive.write([matrix.FILES / name for name in names], archive.of(part))
    for path in (*record.paths(part), archive.of(part)):
        print(f"{path.stat().st_size:>10,} bytes  {path.name}")
    return 0


def _say(started: float, text: str) -> None:
    print(f"{time.monotonic() - started:6.0f} s  {text}", file=sys.stderr, flush=True)


def show(arguments: argparse.Namespace) -> int:
    """Outcome counts per pair; for pairs that are not held out also single files."""
    recorded = {pair: found for pair, found in record.load().items() if pair[0] in recipes.part(arguments.part)}
    if arguments.pair or arguments.outcome or arguments.name:
        return _list(arguments, recorded)
    totals: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    print(f"{'train':>15} {'serve':>15} " + " ".join(f"{kind:>13}" for kind in KINDS))
    for train, serve in recorded:
        by_name = {file.name: file for file in truth.files(train)}
        counts: collections.Counter[str] = collections.Counter()
        for name, outcome in recorded[train, serve].items():
            if train != serve:
                if truth.is_held_out(train, serve, by_name[name]):
                    totals["held out"][outcome.kind] += 1
                else:
                    counts[outcome.kind] += 1
        totals["development"].update(counts)
        if counts:
            print(f"{train:>15} {serve:>15} " + " ".join(f"{counts[kind]:>13}" for kind in KINDS))
    for name, total in totals.items():
        print(f"{name:>31} " + " ".join(f"{total[kind]:>13}" for kind in KINDS) + f"   of {total.total()}")
    return 0


def _list(arguments: argparse.Namespace, recorded: Recorded) -> int:
    """Single outcomes, grouped by what was said; never one that is held out."""
    groups: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    hidden = 0
    for (train, serve), file in ((pair, file) for pair in recorded for file in truth.files(pair[0])):
        outcome = recorded[train, serve].get(file.name)
        if outcome is None or train == serve or (arguments.pair and [train, serve] != arguments.pair):
            continue
        if outcome.kind != (arguments.outcome or outcome.kind) or not fnmatch.fnmatch(file.name, arguments.name or "*"):
            continue
        if truth.is_held_out(train, serve, file):
            hidden += 1
            continue
        said = (outcome.kind, outcome.method, outcome.error, outcome.message)
        groups[said].append(file.name if arguments.pair else f"{train}>{serve} {file.name}")
    for (kind, method, error, message), names in sorted(groups.items(), key=lambda group: -len(group[1])):
        if kind == "fine" and not arguments.outcome:
            continue
        print(f"{len(names):6} {kind} {method} {error}: {message}")
        for name in itertools.islice(names, arguments.most):
            print(f"         {name}")
    if hidden:
        print(f"({hidden} more are held out)")
    return 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.truth", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, told in (("build", "make what is missing"), ("prepare", "environments and files, but no loads")):
        making = commands.add_parser(command, help=told)
        making.add_argument("--env", action="append", default=[], choices=list(recipes.RECIPES))
    commands.add_parser("record", help="write fixtures/truth anew from what was built")
    showing = commands.add_parser("show", help="print outcome counts")
    showing.add_argument("--pair", nargs=2, metavar=("TRAIN", "SERVE"))
    showing.add_argument("--outcome", choices=KINDS)
    showing.add_argument("--name", metavar="PATTERN", help="file names, as in a shell")
    showing.add_argument("--most", type=int, default=5, help="files to name per group")
    for listed in commands.choices.values():
        listed.add_argument("--part", default=recipes.PARTS[0], choices=recipes.PARTS, help="(default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.command in ("build", "prepare"):
        return build(arguments.part, arguments.env, loads=arguments.command == "build")
    return write(arguments.part) if arguments.command == "record" else show(arguments)


if __name__ == "__main__":
    sys.exit(main())

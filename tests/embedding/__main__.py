"""Print how many files with a snapshot were loaded by which loaders, or put it into docs/embedding.md.

python -m tests.embedding [loaders] [models] [--write]
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import envaudit
from tests.embedding import loads, models, stacks
from tests.embedding.loads import Load, Made
from tests.embedding.stacks import Place

PAGE = Path(__file__).parents[2] / "docs/embedding.md"
MARKS = ("<!-- {}: begin -->\n", "<!-- {}: end -->\n")
FAMILIES = {
    "pickle": ("Python", "`pickle.dump` of protocols 0 to 5, plain, gzip, bz2, xz, lzma"),
    "joblib": ("joblib", "`joblib.dump`, plain and compressed, with and without arrays"),
    "cloudpickle": ("cloudpickle", "`cloudpickle.dump` of functions and objects by value"),
    "pandas": ("pandas", "`DataFrame.to_pickle`, plain, gzip, bz2, xz, zip, zstd"),
    "torch": ("torch", "`torch.save`, `torch.jit.save`"),
}


def measured(places: Iterable[Place], folder: Path) -> Iterator[Load]:
    """Every file of every environment, loaded in every environment."""
    snapshot = envaudit.snapshot()
    places = list(places)
    files: list[Made] = []
    for number, place in enumerate(places):
        files += loads.write(place, folder / str(number), snapshot)
    for place in places:
        print(f"loaded by {place.name}", file=sys.stderr, flush=True)
        yield from loads.load(place, [made for made in files if loads.meant(made, place)])


def tables(found: list[Load]) -> Iterator[str]:
    """The lines of the table, in Markdown."""
    files = {(load.made.folder, load.made.name) for load in found}
    loaders = {load.loader.name for load in found}
    possible = [load for load in found if load.possible]
    equal = [load for load in possible if load.equal]
    same = [load for load in found if not load.possible and load.equal]
    yield f"{len(files):,} files, {len(loaders)} environments, {len(found):,} loads, each three times: of the file"
    yield "without a snapshot, with one, and with one and a sample."
    yield ""
    yield f"- Of {len(possible):,} loads that succeed without, **{len(equal):,}** succeed with it and answer the same."
    yield f"- Of {len(found) - len(possible):,} that fail without, {len(same):,} fail with it, by the same error."
    yield ""
    yield "| rides | loads that succeed without | and with, the same |"
    yield "|---|---|---|"
    for where in sorted({load.made.where for load in found}):
        some = [load for load in possible if load.made.where == where]
        yield f"| {where} | {len(some):,} | {sum(load.equal for load in some):,} |"
    yield ""
    yield "Rows: the version that wrote; columns: the one that loaded. Loads with a snapshot that answer the same, of"
    yield "the loads that succeed without; –: none does."
    for family, (package, what) in FAMILIES.items():
        yield ""
        yield from _table(family, package, what, [load for load in found if load.made.family == family])


def _table(family: str, package: str, what: str, found: list[Load]) -> Iterator[str]:
    cells: dict[tuple[str, str], list[Load]] = defaultdict(list)
    for load in found:
        cells[_label(load.made.writer, family, package), _label(load.loader, family, package)].append(load)
    rows = sorted({row for row, _ in cells}, key=_order)
    columns = sorted({column for row, column in cells if any(load.possible for load in cells[row, column])}, key=_order)
    yield f"**{what}**, by {package}:"
    yield ""
    yield f"| {package} | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for row in rows:
        texts = []
        for column in columns:
            some = [load for load in cells.get((row, column), []) if load.possible]
            texts.append(f"{sum(load.equal for load in some)}/{len(some)}" if some else "–")
        yield f"| {row} | {' | '.join(texts)} |"


def _label(place: Place, family: str, package: str) -> str:
    version = place.versions.get(package, "none").partition("+")[0]
    python = place.versions["Python"].rpartition(".")[0]
    return python if family == "pickle" else f"{version} ({python})" if family == "cloudpickle" else version


def _order(label: str) -> list[int]:
    return [int(number) for number in re.findall("[0-9]+", label)]


def loaders(folder: Path) -> tuple[str, bool]:
    """The table of the loaders, and whether a snapshot makes no difference to any."""
    found: list[Load] = []
    for group in ([place for place in map(stacks.place, stacks.STACKS) if place], stacks.torches()):
        found += measured(group, folder / str(len(found)))
    different = [load for load in found if not load.equal]
    for load in different:
        print(f"{load.made.writer.name}: {load.made.name}: {load.way} in {load.loader.name}", file=sys.stderr)
    return "\n".join(tables(found)) + "\n", not different


def main() -> int:
    """Exit 1 where a snapshot makes a difference."""
    parts = {"loaders": loaders, "models": models.table}
    right = True
    for name in [name for name in sys.argv[1:] if name in parts] or parts:
        with tempfile.TemporaryDirectory() as folder:
            text, same = parts[name](Path(folder))
        right &= same
        if "--write" in sys.argv[1:]:
            begin, end = (mark.format(name) for mark in MARKS)
            before, _, rest = PAGE.read_text().partition(begin)
            PAGE.write_text(f"{before}{begin}{text}{end}{rest.partition(end)[2]}")
        else:
            print(text)
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())

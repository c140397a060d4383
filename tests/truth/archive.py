"""Every model file of a part of the matrix in one small archive, so that a benchmark needs no refit.

Each `models.tar.xz` in `fixtures/truth/` and below holds folders of `.truth/files`, manifests and all. The same object
from two environments lies side by side, where the compression finds what they share; files that joblib compressed are
kept unpacked for the same reason, and packed again, as joblib does it, when the archive is opened.
"""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from tests.truth import recipes

PACKED = ".z3.joblib"  # joblib.dump(..., compress=3): one zlib stream
LEVEL = 3


def of(part: str) -> Path:
    """The archive of one part."""
    return recipes.recorded(part) / "models.tar.xz"


def write(folders: Sequence[Path], target: Path) -> None:
    """Pack what these folders hold."""
    paths = [path for folder in folders for path in folder.iterdir()]
    with (
        lzma.open(target, "wb", preset=9 | lzma.PRESET_EXTREME) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for path in sorted(paths, key=lambda path: (path.name.replace(PACKED, ".joblib"), path.parent.name)):
            content = path.read_bytes()
            if path.name.endswith(PACKED):
                content = zlib.decompress(content)
            entry = tarfile.TarInfo(f"{path.parent.name}/{path.name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def unpack(root: Path, names: Sequence[str]) -> list[str]:
    """Lay those of the environments' folders below `root` that are missing there; returns their names."""
    wanted = [name for name in names if not (root / name).exists()]
    parts = {recipes.RECIPES[name].part for name in wanted}
    return sorted(name for part in parts for name in _unpack(root, {*wanted} & {*recipes.part(part)}, of(part)))


def _unpack(root: Path, missing: set[str], source: Path) -> set[str]:
    if not source.exists():
        return set()
    for name in missing:
        shutil.rmtree(root / f".{name}", ignore_errors=True)
        (root / f".{name}").mkdir(parents=True)
    with tarfile.open(source, "r:xz") as archive:
        for entry in archive:
            name, _, file = entry.name.partition("/")
            stream = archive.extractfile(entry)
            if name in missing and stream and "/" not in file:
                content = stream.read()
                packed = zlib.compress(content, LEVEL) if file.endswith(PACKED) else content
                (root / f".{name}" / file).write_bytes(packed)
    for name in missing:
        (root / f".{name}").rename(root / name)
    return missing

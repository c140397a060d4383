"""Every model file of the matrix in one small archive, so that a benchmark needs no refit.

`fixtures/truth/models.tar.xz` holds the folders of `.truth/files`, manifests and all. The same object from two
environments lies side by side, where the compression finds what they share; files that joblib compressed are kept
unpacked for the same reason, and packed again, as joblib does it, when the archive is opened.
"""

from __future__ import annotations

import io
import lzma
import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path

ARCHIVE = Path(__file__).resolve().parents[2] / "fixtures/truth/models.tar.xz"
PACKED = ".z3.joblib"  # joblib.dump(..., compress=3): one zlib stream
LEVEL = 3


def write(folders: Sequence[Path]) -> None:
    """Pack what these folders hold."""
    paths = [path for folder in folders for path in folder.iterdir()]
    with (
        lzma.open(ARCHIVE, "wb", preset=9 | lzma.PRESET_EXTREME) as stream,
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
    missing = {name for name in names if not (root / name).exists()}
    if not missing or not ARCHIVE.exists():
        return []
    for name in missing:
        shutil.rmtree(root / f".{name}", ignore_errors=True)
        (root / f".{name}").mkdir(parents=True)
    with tarfile.open(ARCHIVE, "r:xz") as archive:
        for entry in archive:
            name, _, file = entry.name.partition("/")
            stream = archive.extractfile(entry)
            if name in missing and stream and "/" not in file:
                content = stream.read()
                packed = zlib.compress(content, LEVEL) if file.endswith(PACKED) else content
                (root / f".{name}" / file).write_bytes(packed)
    for name in missing:
        (root / f".{name}").rename(root / name)
    return sorted(missing)

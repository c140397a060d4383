"""What the replays yielded, as data in fixtures/incidents: every model file, and what really happened to it.

`outcomes.json` is to be read (one line per incident), `files.tar.xz` holds the model files.
"""

from __future__ import annotations

import functools
import io
import json
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.incidents.replay import Outcome, Replay

FOLDER = Path(__file__).resolve().parents[2] / "fixtures/incidents"
OUTCOMES = FOLDER / "outcomes.json"
ARCHIVE = FOLDER / "files.tar.xz"


def write(replays: Mapping[str, Replay], folder: Path) -> None:
    """Record what happened, and the files that lie in a folder."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = [
        f" {json.dumps(name)}: {json.dumps({key: value._asdict() for key, value in replay._asdict().items()})}"
        for name, replay in sorted(replays.items())
    ]
    OUTCOMES.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    with (
        lzma.open(ARCHIVE, "wb", preset=9 | lzma.PRESET_EXTREME) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name in sorted(replays):
            content = (folder / f"{name}.bin").read_bytes()
            entry = tarfile.TarInfo(f"{name}.bin")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    load.cache_clear()


@functools.cache
def load() -> dict[str, Replay]:
    """What really happened, by incident."""
    found = json.loads(OUTCOMES.read_text()) if OUTCOMES.exists() else {}
    return {
        name: Replay(**{key: Outcome(**fields) for key, fields in replay.items()}) for name, replay in found.items()
    }


def unpack(folder: Path) -> None:
    """Lay the recorded model files into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(ARCHIVE, "r:xz") as archive:
        for entry in archive:
            stream = archive.extractfile(entry)
            if stream is not None:
                (folder / Path(entry.name).name).write_bytes(stream.read())

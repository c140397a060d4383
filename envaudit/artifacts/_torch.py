"""What both forms of torch files share: storages, which the pickle refers to by persistent ids."""

from __future__ import annotations

from envaudit.artifacts._state import State
from envaudit.needs import Items

MAX_DEVICES = 20


def note_storages(m: State) -> None:
    """Name the devices that the tensors were saved on: loading puts them there again unless told otherwise.

    A persistent id is ``("storage", type, key, location, number of elements)``.
    """
    devices = set()
    for item in m.persistent:
        parts = item.id.items if type(item.id) is Items else []
        if len(parts) >= 5 and parts[0] == "storage" and type(parts[3]) is str and parts[3] != "cpu":
            devices.add(parts[3][:20])
    if devices:
        listed = ", ".join(sorted(devices)[:MAX_DEVICES])
        m.note(f"tensors were saved on {listed}: without that device torch.load needs map_location")

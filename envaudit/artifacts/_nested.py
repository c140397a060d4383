"""Pickles that stand as bytes inside a pickle, and what loading would hand to a second unpickler."""

from __future__ import annotations

from typing import Final

from envaudit.artifacts._reader import BytesStream, Reader
from envaudit.artifacts._state import MAX_PAYLOAD, State
from envaudit.errors import ArtifactError
from envaudit.needs import Global, Long, Made, Value

MAX_DEPTH: Final = 3
MAX_NESTED: Final = 1000
TORCH_MAGIC: Final = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The first pickle of torch's legacy form: ``torch.serialization.MAGIC_NUMBER``."""
TORCH_PREAMBLE: Final = 3
"""Pickles before the object in torch's legacy form: magic number, protocol version, system information."""

_UNPICKLERS: Final = ("pickle", "_pickle", "cPickle", "cloudpickle", "cloudpickle.cloudpickle", "dill", "dill._dill")


def unpickles(call: Value) -> bool:
    """Whether a call of this unpickles its argument."""
    if type(call) is not Global:
        return False
    if call.name == "_load_from_bytes":
        return call.module == "torch.storage"
    return call.name == "loads" and call.module in _UNPICKLERS


def _spelled(given: Value) -> Value:
    """What stands for bytes in the stream: protocols below 3 write ``_codecs.encode(text, "latin1")``
    (Modules/_pickle.c, ``save_bytes``)."""
    encoded = type(given) is Made and str(given.call) == "_codecs.encode" and given.args[1:] == ["latin1"]
    return given.args[0] if encoded else given


def _bytes(m: State, given: Value) -> bytes | None:
    """The bytes that it stands for, as far as they were kept."""
    kept = m.payloads.get(given.at) if type(given) is Long else given
    if type(given) is Long and given.kind == "str" and kept is not None:
        kept = kept.decode("utf-8", "ignore")
    if type(kept) is str:
        return kept.encode("latin-1", "ignore")
    return kept if type(kept) is bytes else None


def open_nested(m: State, made: Made) -> None:
    """Walk the pickle in the first argument; what it holds joins the needs of the file."""
    given = _spelled(made.args[0]) if made.args else None
    data = _bytes(m, given)
    if data is None or m.depth >= MAX_DEPTH or len(m.opened) >= MAX_NESTED:
        m.note(f"a pickle inside the pickle, at byte {made.at}, was not opened")
        return
    try:
        with m.inside(Reader(BytesStream(data), m.reader.name)):
            value = m.load()
            if data.startswith(TORCH_MAGIC):
                for _ in range(TORCH_PREAMBLE):
                    value = m.load()
    except ArtifactError:
        cut = type(given) is Long and given.length > MAX_PAYLOAD
        why = f"is longer than {MAX_PAYLOAD} bytes" if cut else "is damaged"
        m.note(f"a pickle inside the pickle, at byte {made.at}, {why} and was not read to its end")
        return
    m.opened.append((made, value))

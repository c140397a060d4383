"""What the symbolic pickle machine holds, and the limits that it keeps.

Time is bounded by the number of opcodes, memory by the blocks that are alive: both are looked at once per window of the
reader, so that an opcode costs nothing for it. Long before memory runs out the memo lets go of what is heavy and
containers keep less, so that large honest files still yield their needs.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Final

from envaudit.artifacts._reader import EDGE, KEPT_BYTES, Reader
from envaudit.errors import ArtifactError
from envaudit.needs import LISTED, Array, Code, DType, Global, Items, Long, Made, Mapping, Persistent, Value, class_of

MAX_STEPS: Final = 20_000_000
"""Opcodes of one file."""
MAX_BLOCKS: Final = 2_000_000
"""Memory blocks (some 80 bytes each) that may be alive beyond those that were there before."""
MAX_MEMORY: Final = 160 << 20
"""Bytes by which the process may grow, where the system says."""
MAX_MARKS: Final = 10_000
"""Containers that are open inside each other, and memo entries out of sequence."""
MAX_GLOBALS: Final = 20_000
MAX_NAME: Final = 1000
"""Characters of a module or a global."""
FULL: Final = 100_000
"""Memo entries that are kept whatever they are."""
FULL_BYTES: Final = 24 << 20
"""Bytes walked (not skipped), after which long strings are kept as :class:`Long` and the memo becomes choosy too."""
MAX_KEPT: Final = 500_000
"""Values kept in containers, after which each keeps only a few."""
MAX_WORDS: Final = 48 << 20
"""Bytes of short strings that a choosy memo keeps."""
MAX_PAYLOAD: Final = 1 << 16
MAX_PAYLOADS: Final = 100
"""How much is kept, and of how many, of bytes that may be pickles themselves or a JSON object."""
FEW: Final = 16
WORD: Final = 64

DROPPED: Final = Long("dropped", 0, "")
PLAIN: Final = frozenset({type(None), bool, int, float, str, bytes, bytearray, Long})

_SAID: Final = {
    "list index out of range": "the stack or the memo lacks what is asked for",
    "pop from empty list": "the stack is empty",
}
"""What Python says of the machine's lists -> what it means for the file."""

_blocks: Callable[[], int] = getattr(sys, "getallocatedblocks", lambda: 0)


def _resident() -> int:
    """Bytes of memory that this process has in use; 0 where the system does not say."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:
            return int(file.read(100).split()[1]) * 4096
    except (OSError, IndexError, ValueError):
        return 0


class State:
    """One run over one file: several pickles in a row share its limits, not their memos."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.stack: list[Value] = []
        self.marks: list[list[Value]] = []
        self.memo: list[Value] = []
        self.far: dict[int, Value] = {}
        """Memo entries whose number is not the next one; picklers write none."""
        self.globals: dict[tuple[str, str], Global] = {}
        self.codes: list[Code] = []
        self.array_bytes = 0
        self.notes: dict[str, None] = {}
        self.record_at: int | None = None
        self.protocol = 0
        self.budget: Iterator[None] = repeat(None, MAX_STEPS)
        """One is taken for each opcode, in whichever pickle of the file."""
        self.at = 0
        """Offset of the last opcode whose place counts."""
        self.listed = LISTED
        self.kept_bytes = KEPT_BYTES
        """Strings and bytes up to this long are kept whole."""
        self.kept = 0
        """Values kept in containers so far."""
        self.depth = 0
        """Inside how many other pickles this one stands: joblib takes its raw arrays at the outermost level only."""
        self.payloads: dict[int, bytes] = {}
        """The start of long bytes that look like a pickle, by offset."""
        self.opened: list[tuple[Made, Value]] = []
        """Pickles in bytes that were walked: the call that would load them, and what they yield."""
        self.versions: dict[str, set[str]] = {}
        self.persistent: list[Persistent] = []
        self.wrapped: dict[str, int] = {}
        """joblib's placeholders of arrays that were met, by class."""
        self.companion: Callable[[str], Array | None] = lambda name: None
        """Looks at a file that an old joblib wrote beside this one."""
        self._seen: dict[int, tuple[object, set[object]]] = {}
        self._swept = FULL
        self._words = 0
        self._blocks = _blocks()
        self._resident = _resident()

    # -- what the opcodes share ---------------------------------------------------------------------------------

    def pop_mark(self) -> list[Value]:
        """What stands above the last MARK, which goes."""
        if not self.marks:
            raise IndexError("no MARK on the stack")
        values, self.stack = self.stack, self.marks.pop()
        return values

    def here(self) -> None:
        """Set ``at``; the first thing that the handlers do for which the place counts. They take longer than others."""
        next(self.budget, None)
        next(self.budget, None)
        self.at = self.reader.base + self.reader.pos - 1

    def line(self) -> tuple[bytes, int]:
        """The text of a protocol-0 opcode, which takes longer than others."""
        next(self.budget, None)
        next(self.budget, None)
        return self.reader.line()

    @contextmanager
    def inside(self, reader: Reader | None = None) -> Iterator[None]:
        """Put the work aside for a pickle that stands within this one, or in another place if a reader is given."""
        saved = self.stack, self.marks, self.memo, self.far, self._seen, self._swept, self.reader
        self.depth += 1
        self.reader = reader or self.reader
        try:
            yield
        finally:
            self.depth -= 1
            self.stack, self.marks, self.memo, self.far, self._seen, self._swept, self.reader = saved

    def put(self, index: int, value: Value) -> None:
        """Memoize."""
        memo = self.memo
        if index == len(memo):
            memo.append(value)
            if self.far:
                self.far.pop(index, None)
        elif index < len(memo):
            memo[index] = value
        else:
            self.far[index] = value

    def load(self) -> Value:
        """Walk one pickle up to its STOP and return what it yields."""
        raise NotImplementedError

    def get(self, index: int) -> Value:
        """What was memoized."""
        if index < len(self.memo):
            return self.memo[index]
        if index not in self.far:
            raise KeyError(f"the memo has no entry {index}")
        return self.far[index]

    def find(self, module: Value, name: Value) -> Global:
        """The global of that name; the first use of it counts."""
        if type(module) is not str or type(name) is not str:
            raise TypeError("a global whose name is no string that is kept")
        found = self.globals.get((module, name))
        if found is None:
            if len(module) > MAX_NAME or len(name) > MAX_NAME:
                raise ValueError("a global with an endless name")
            if len(self.globals) >= MAX_GLOBALS:
                raise self.beyond(f"more than {MAX_GLOBALS} globals")
            found = self.globals[module, name] = Global(module, name, self.at)
        return found

    def extend(self, box: Items, values: list[Value]) -> None:
        """Add to a list, tuple or set, within what one container may keep."""
        box.length += len(values)
        room = self.listed - len(box.items)
        if room <= 0 and len(values) == 1 and type(values[0]) in PLAIN and type(values[0]) is type(box.items[-1]):
            return  # item by item, as protocol 0 writes lists
        if len(values) > room:
            values = values[: max(room, 0)] + self._first_of_kind(box, box.items, values[max(room, 0) :])
        self.kept += len(values)
        box.items += values

    def store(self, box: Mapping, values: list[Value]) -> None:
        """Add keys and values to a dict, within what one container may keep."""
        if len(values) % 2:
            raise ValueError("a key without a value")
        box.length += len(values) // 2
        room = self.listed - len(box.pairs)
        pairs = list(zip(values[::2], values[1::2], strict=True))
        if len(pairs) > room:
            rest = pairs[max(room, 0) :]
            new = self._first_of_kind(box, [value for _, value in box.pairs], [value for _, value in rest])
            kept = {id(value) for value in new}
            pairs = pairs[: max(room, 0)] + [pair for pair in rest if kept and id(pair[1]) in kept][: len(new)]
        self.kept += len(pairs)
        box.pairs += pairs

    def _first_of_kind(self, box: object, kept: list[Value], rest: list[Value]) -> list[Value]:
        if len(self._seen) > MAX_MARKS:
            self._seen.clear()
        _, seen = self._seen.setdefault(id(box), (box, set()))
        if not seen:
            seen.update(map(kind_of, kept))
        if PLAIN.issuperset(map(type, rest)) and seen.issuperset(map(type, rest)):
            return []
        new = []
        for value in rest:
            kind = kind_of(value)
            if kind not in seen and len(seen) < LISTED:
                seen.add(kind)
                new.append(value)
        return new

    def note(self, text: str) -> None:
        """Say something once."""
        if len(self.notes) < FEW * FEW:
            self.notes[text] = None

    def damaged(self, why: str) -> ArtifactError:
        """The error for a stream that no unpickler would read."""
        why = {
            "list index out of range": "the memo lacks what is asked for",
            "pop from empty list": "stack underflow",
        }.get(why, why)
        return ArtifactError(f"{self.reader.name}: not a sound pickle: {why} (near byte {self.reader.tell()})")

    def beyond(self, what: str) -> ArtifactError:
        """The error for a file that asks for more than this reader is ready to spend."""
        return ArtifactError(
            f"{self.reader.name}: {what} up to byte {self.reader.tell()}: beyond the limits of reading without loading"
        )

    def long(self, kind: str, size: int) -> Long:
        """A long run of bytes: its edges are read, the rest is passed over."""
        reader = self.reader
        at = reader.tell()
        if size <= 2 * EDGE:
            whole = reader.take(size)
            start, end = whole[:EDGE], whole[-EDGE:]
        else:
            start = reader.take(EDGE)
            rest = size - 2 * EDGE
            pickled = start[:2] == b"\xc2\x80" if kind == "str" else start[:1] == b"\x80"  # a text: in UTF-8
            if (pickled or start[:1] == b"{") and len(self.payloads) < MAX_PAYLOADS:
                more = reader.take(min(rest, MAX_PAYLOAD - 2 * EDGE))
                rest -= len(more)
                self.payloads[at] = start + more
            reader.skip(rest)
            end = reader.take(EDGE)
            if rest == 0 and at in self.payloads:
                self.payloads[at] += end
            if not pickled:
                start = self.payloads.get(at, start)
        if kind == "str":
            return Long(kind, size, str(start, "utf-8", "ignore"), str(end, "utf-8", "ignore"), at)
        return Long(kind, size, start, end, at)

    def text(self, size: int) -> Value:
        """A UTF-8 string."""
        if size > self.kept_bytes:
            return self.long("str", size)
        return str(self.reader.take(size), "utf-8", "surrogatepass")

    def bytes(self, kind: str, size: int) -> Value:
        """Bytes; what they hold has no effect before something is called with them."""
        if size > self.kept_bytes:
            return self.long(kind, size)
        data = self.reader.take(size)
        return bytearray(data) if kind == "bytearray" else data

    # -- bounds ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Hold the limits; the loop calls it once per window."""
        if len(self.marks) > MAX_MARKS or len(self.far) > MAX_MARKS:
            raise self.beyond(f"more than {MAX_MARKS} containers inside each other, or gaps in the memo")
        if _blocks() - self._blocks > MAX_BLOCKS or _resident() - self._resident > MAX_MEMORY:
            gc.collect()
            if _blocks() - self._blocks > MAX_BLOCKS * 3 // 4 or _resident() - self._resident > MAX_MEMORY:
                raise self.beyond("too many values that cannot be let go")
        if self.kept > MAX_KEPT:
            self.listed = FEW
        if self.reader.walked > FULL_BYTES:
            self.kept_bytes = WORD
            self._swept = min(self._swept, len(self.memo))
        if len(self.memo) > self._swept:
            self._sweep()

    def _sweep(self) -> None:
        """Let the memo go of what came since the last time and is heavy; only a reference back to it would show."""
        memo = self.memo
        for index in range(self._swept, len(memo)):
            value = memo[index]
            if type(value) is str and len(value) <= WORD and self._words < MAX_WORDS:
                self._words += sys.getsizeof(value)
            elif type(value) not in (Global, DType, int, float, bool):
                memo[index] = DROPPED
        self._swept = len(memo)


def kind_of(value: Value) -> object:
    """What counts as "of the same class" when a container is cut."""
    return class_of(value) if type(value) is Made else type(value)

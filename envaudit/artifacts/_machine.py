"""The symbolic pickle machine: it walks a pickle as an unpickler would, and imports, looks up and calls nothing.

The loop holds the opcodes of which long files are made; all others are small functions in ``_opcodes.py``. Format:
Lib/pickle.py and Lib/pickletools.py of CPython.
"""

from __future__ import annotations

import struct

from envaudit.artifacts._constants import Handler
from envaudit.artifacts._opcodes import LOWEST, TABLE
from envaudit.artifacts._reader import Reader
from envaudit.artifacts._state import FULL, MAX_STEPS, State
from envaudit.needs import Value


class Machine(State):
    """The machine at work."""

    table: list[Handler]
    """Handlers by opcode. Each starts as one that notes the protocol of the opcode and then makes way: so that what is
    asked once per kind of opcode is not asked for every one."""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.table = [self._first_use] * 256

    def _first_use(self, _: State) -> None:
        op = self.reader.window[self.reader.pos - 1]
        self.protocol = max(self.protocol, LOWEST[op])
        self.table[op] = TABLE[op]
        TABLE[op](self)

    def load(self) -> Value:
        """Walk one pickle up to its STOP and return what it yields."""
        self.stack, self.marks, self.memo, self.far, self._swept = [], [], [], {}, FULL
        try:
            value = self._run()
        except (IndexError, KeyError, ValueError, OverflowError, TypeError, struct.error) as error:
            text = str(error.args[0]) if error.args else type(error).__name__
            raise self.damaged(text) from None
        finally:
            self.stack, self.marks, self.memo, self.far, self._seen = [], [], [], {}, {}
        return value

    def _run(self) -> Value:
        # Ordered by ranges of opcodes: a long chain of comparisons costs more than the work itself.
        reader, stack, memo, far = self.reader, self.stack, self.memo, self.far
        window, pos, soft = reader.window, reader.pos, reader.soft
        table, protocol = self.table, self.protocol
        unpack_double = struct.Struct(">d").unpack_from
        for _ in self.budget:
            if pos > soft:
                reader.pos = pos
                reader.refill()
                self.check()
                window, pos, soft = reader.window, reader.pos, reader.soft
            op = window[pos]
            pos += 1
            if op >= 0x80:
                if op == 0x8C:  # SHORT_BINUNICODE
                    stop = pos + 1 + window[pos]
                    stack.append(str(window[pos + 1 : stop], "utf-8", "surrogatepass"))
                    pos = stop
                    continue
                if op == 0x94 and not far:  # MEMOIZE
                    memo.append(stack[-1])
                    continue
            elif op >= 0x68:
                if op == 0x68:  # BINGET
                    stack.append(memo[window[pos]] if not far else self.get(window[pos]))
                    pos += 1
                    continue
                if op == 0x71:  # BINPUT
                    self.put(window[pos], stack[-1])
                    pos += 1
                    protocol = protocol or 1
                    continue
                if op == 0x72:  # LONG_BINPUT
                    self.put(int.from_bytes(window[pos : pos + 4], "little"), stack[-1])
                    pos += 4
                    protocol = protocol or 1
                    continue
            elif 0x47 <= op <= 0x4B:
                if op == 0x4B:  # BININT1
                    stack.append(window[pos])
                    pos += 1
                    protocol = protocol or 1
                    continue
                if op == 0x4A:  # BININT
                    stack.append(int.from_bytes(window[pos : pos + 4], "little", signed=True))
                    pos += 4
                    protocol = protocol or 1
                    continue
                if op == 0x47:  # BINFLOAT
                    stack.append(unpack_double(window, pos)[0])
                    pos += 8
                    protocol = protocol or 1
                    continue
            elif op == 0x2E:  # STOP
                reader.pos = pos
                self.protocol = max(self.protocol, protocol)
                return stack.pop()
            reader.pos = pos
            table[op](self)
            stack, window, pos, soft = self.stack, reader.window, reader.pos, reader.soft
        raise self.beyond(f"more than {MAX_STEPS} opcodes")

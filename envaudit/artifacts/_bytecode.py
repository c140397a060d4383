"""Which CPython wrote a code object: told by how many arguments ``types.CodeType`` is given, and by the opcodes in it.

A code object that uses an opcode which a version does not have is not of that version; the rest stays possible. So the
answer is a range, never a guess. Sources: ``code_new_impl`` in Objects/codeobject.c for the arguments; ``opmap`` in
Lib/opcode.py of each version (base opcodes only: ``co_code`` holds no specialised or instrumented ones).
"""

from __future__ import annotations

from typing import Final

from envaudit.artifacts._state import State
from envaudit.needs import Code, Global, Items, Long, Made, Value

Minor = tuple[int, int]

ARGUMENTS: Final[dict[int, tuple[Minor, ...]]] = {
    15: ((3, 6), (3, 7)),
    16: ((3, 8), (3, 9), (3, 10)),
    18: ((3, 11), (3, 12), (3, 13)),
}
"""Count of arguments -> the versions that take so many; the last group goes on beyond what is known here."""

OPCODES: Final[dict[Minor, int]] = {
    (3, 6): 0x7FFFE7BCF79FFFF7FFFFFBFFFB9C00003FDB9E3E,
    (3, 7): 0x37FFFE7BC779FFFF7FFFFFBFFFB9C00003FDB9E3E,
    (3, 8): 0xF7FFFE7BC741FFFF7FFFEFBFFFBFC00003FDB9E7E,
    (3, 9): 0x3F3C1FE7BC767FFFF7FEFCFFFFFBDF00003FDB9E7E,
    (3, 10): 0x3F3D1FE7BE76FFFFFFFEFCFFFFFBDE0007FFDB9E7E,
    (3, 11): 0x1F87D39BF5FFF7DFDFFFFFFFC0CF0307E003BC2009E07,
    (3, 12): 0x1F83C39EFFFFFFFFC7FFFFEA80CB030FE003BCE029A3F,
    (3, 13): 0x200000007FFFFFFFFFFFFFFFFFFFFFFFFFFFF7,
}
"""Bit n is set where the version has opcode n."""

RESUME: Final[dict[Minor, int]] = {(3, 11): 151, (3, 12): 151, (3, 13): 149}
"""Every code object since 3.11 has this one."""

MAX_CODES: Final = 10_000
CALLS: Final = frozenset({"CodeType", "_create_code", "code"})


def builds_code(call: Value) -> bool:
    """Whether a call of this yields a code object: ``types.CodeType``, cloudpickle's and dill's ways to it."""
    if type(call) is Global:
        top = call.module.partition(".")[0]
        return call.name in CALLS and top in ("types", "builtins", "__builtin__", "cloudpickle", "dill", "joblib")
    if type(call) is Made and type(call.call) is Global and call.call.name in ("_builtin_type", "_load_type"):
        return call.args[:1] == ["CodeType"]
    return False


def note_code(m: State, made: Made) -> None:
    """Record a code object."""
    args = made.args
    if args and type(args[0]) is not int:  # dill puts the line table of older versions in front
        args = args[1:]
    known = ARGUMENTS.get(len(args))
    if known is None or len(m.codes) >= MAX_CODES:
        m.note(f"a code object of {len(args)} arguments at byte {made.at} is not understood")
        return
    at = 5 if len(args) == 15 else 6
    oldest, newest = _versions(args[at], known)
    names = args[at + 2].items if type(args[at + 2]) is Items else []
    name = args[at + 6 if len(args) == 18 else at + 5]
    plain_name = args[at + 5] if type(args[at + 5]) is str else ""
    m.codes.append(
        Code(
            name=name if type(name) is str else plain_name,
            python=oldest,
            newest=newest,
            names=tuple(item for item in names if type(item) is str),
            at=made.at,
        )
    )


def _versions(code: Value, known: tuple[Minor, ...]) -> tuple[Minor | None, Minor | None]:
    whole = type(code) is bytes
    data = code if type(code) is bytes else code.start + code.end if type(code) is Long else b""
    used = 0
    for opcode in set(data[::2]):
        used |= 1 << opcode
    possible = []
    for version in known:
        resume = RESUME.get(version)
        if not used & ~OPCODES[version] and not (resume and whole and data and not used >> resume & 1):
            possible.append(version)
    if possible:
        return possible[0], possible[-1]
    if known[-1] == max(OPCODES):
        return (known[-1][0], known[-1][1] + 1), None
    return known[0], known[-1]

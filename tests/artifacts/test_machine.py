"""The symbolic machine against the real one: the same values, the same globals, for every protocol."""

from __future__ import annotations

import collections
import datetime
import decimal
import fractions
import functools
import pathlib
import pickle
import random
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envaudit.errors import ArtifactError
from envaudit.needs import LISTED, UNSET, Global, Items, Long, Made, Mapping
from tests.artifacts.plain import kind, named, plain, read_bytes, resolved

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**300), 2**300)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=4) | st.tuples(inner) | st.just(()),
    max_leaves=5,
)
values = st.recursive(
    hashable | st.binary(min_size=250, max_size=300).map(bytearray) | st.text(min_size=250, max_size=300),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(hashable, inner, max_size=5)
        | st.sets(hashable, max_size=5)
        | st.tuples(inner, inner, inner, inner)
    ),
    max_leaves=25,
)


def same(left: Any, right: Any) -> bool:
    """Equal in value and type, all the way down; True is not 1 here."""
    if type(left) is not type(right):
        return False
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return len(left) == len(right) and all(
            same(a, b) and same(x, y) for (a, x), (b, y) in zip(left.items(), right.items(), strict=True)
        )
    return bool(left == right)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(value=values, protocol=st.sampled_from(PROTOCOLS))
def test_the_graph_equals_the_value(value: Any, protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps(value, protocol)
    needs = read_bytes(data, tmp_path)
    assert same(plain(needs.roots[0]), value)
    assert named(needs) == resolved(data)


class Color:
    """A class whose instances have state, slots and items in every combination."""

    def __init__(self) -> None:
        self.name = "red"
        self.other: object = self


class Slotted:
    __slots__ = ("a", "b")
    a: object
    b: object


class Shelf(list[object]):
    pass


class Sheet(dict[object, object]):
    pass


class Keyword:
    def __new__(cls, *, size: int) -> Keyword:
        made = super().__new__(cls)
        made.size = size
        return made

    size: int

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {"size": self.size}


def many_objects() -> list[object]:
    """Objects that use every way in which pickle makes one."""
    slotted, shelf, sheet = Slotted(), Shelf([1, Color()]), Sheet({"k": 1})
    slotted.a, slotted.b = 1, [2]
    shelf.extra = 1  # type: ignore[attr-defined]
    return [
        Color(), slotted, shelf, sheet,
        datetime.datetime(2024, 1, 2, tzinfo=datetime.timezone.utc), decimal.Decimal("1.5"), fractions.Fraction(1, 3),
        uuid.UUID(int=7), collections.OrderedDict(a=1), collections.defaultdict(list, {1: [2]}),
        collections.Counter("ab"),
        collections.deque([1, 2], 3), functools.partial(int, base=2), range(5), slice(1, 2), pathlib.PurePosixPath("a"),
        random.Random(1), int, len, collections.OrderedDict, Ellipsis, NotImplemented, "x".join,
    ]  # fmt: skip


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_globals_are_those_of_a_real_load(protocol: int, tmp_path: Path) -> None:
    objects = [*many_objects(), *([Keyword(size=1)] if protocol > 1 else [])]
    for item in [*objects, objects]:
        try:
            data = pickle.dumps(item, protocol)
        except (TypeError, pickle.PicklingError):
            continue
        needs = read_bytes(data, tmp_path)
        assert named(needs) == resolved(data), item
        assert all(data[found.at] in b"ci\x93" for found in needs.globals)


@pytest.mark.parametrize("protocol", [2, 4])
def test_an_instance_has_its_state_and_may_hold_itself(protocol: int, tmp_path: Path) -> None:
    needs = read_bytes(pickle.dumps(Color(), protocol), tmp_path)
    made = needs.roots[0]
    assert kind(made) == "Color"
    assert made.attributes()["name"] == "red"
    assert made.attributes()["other"] is made
    slotted = Slotted()
    slotted.a, slotted.b = 1, 2
    assert read_bytes(pickle.dumps(slotted, protocol), tmp_path).roots[0].attributes() == {"a": 1, "b": 2}


def test_items_and_pairs_of_an_instance(tmp_path: Path) -> None:
    shelf = read_bytes(pickle.dumps(Shelf([1, 2])), tmp_path).roots[0]
    assert plain(shelf.items) == [1, 2]
    sheet = read_bytes(pickle.dumps(Sheet({"a": 1})), tmp_path).roots[0]
    assert plain(sheet.pairs) == {"a": 1}
    assert sheet.state is UNSET
    keyword = read_bytes(pickle.dumps(Keyword(size=3), 4), tmp_path).roots[0]
    assert keyword.how == "newobj"
    assert plain(keyword.kwargs) == {"size": 3}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_protocol_is_told_even_where_it_is_not_declared(protocol: int, tmp_path: Path) -> None:
    for value in ([1, 2.5, "x"], 300, {"a": 1}, (1, 2)):
        assert read_bytes(pickle.dumps(value, protocol), tmp_path).protocol == protocol


def test_large_containers_are_cut_but_new_classes_are_kept(tmp_path: Path) -> None:
    value = [*range(5000), datetime.date(2024, 1, 1), *range(5000), decimal.Decimal(1)]
    found = read_bytes(pickle.dumps(value), tmp_path).roots[0]
    assert found.length == 10002
    assert found.items[:LISTED] == list(range(LISTED))
    assert [kind(item) for item in found.items[LISTED:]] == ["date", "Decimal"]
    table = {index: (Color() if index == 4000 else index) for index in range(5000)}
    found = read_bytes(pickle.dumps(table), tmp_path).roots[0]
    assert found.length == 5000
    assert len(found.pairs) == LISTED + 1
    assert found.pairs[-1][0] == 4000


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("kind_of_value", ["str", "bytes", "bytearray"])
def test_long_values_are_skipped(protocol: int, kind_of_value: str, tmp_path: Path) -> None:
    if kind_of_value != "str" and protocol < 5:
        return
    value: Any = (
        "ab" * 500_000
        if kind_of_value == "str"
        else {"bytes": bytes, "bytearray": bytearray}[kind_of_value](b"ab" * 499_999 + b"yz")
    )
    found = plain(read_bytes(pickle.dumps([value, 7], protocol), tmp_path).roots[0])
    assert found[1] == 7
    assert isinstance(found[0], Long)
    assert (found[0].kind, found[0].length) == (kind_of_value, 1_000_000)
    assert found[0].start[:2] in ("ab", b"ab")
    if kind_of_value != "str":
        assert found[0].end.endswith(b"abyz")


def test_huge_integers(tmp_path: Path) -> None:
    for size in (255, 256, 300, 600, 5000):
        found = read_bytes(pickle.dumps([1 << (8 * size - 2), 5]), tmp_path).roots[0]
        assert found.items[1] == 5
        assert found.items[0] == 1 << (8 * size - 2) or found.items[0].kind == "int"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"(lp0\nI1\nag0\na.", [1]),  # a list that holds itself would not print
        (b"I01\n.", True),
        (b"I00\n.", False),
        (b"L12L\n.", 12),
        (b"F1.5\n.", 1.5),
        (b"S'a\\x62'\n.", "ab"),
        (b"V\\u00e9\n.", "é"),
        (b"(I1\nI2\nt.", (1, 2)),
        (b"(I1\nI2\nd.", {1: 2}),
        (b"U\x03abc.", "abc"),
        (b"T\x03\0\0\0abc.", "abc"),
        (b"K\x01K\x022\x86.", (2, 2)),
        (b"K\x01K\x020.", 1),
        (b"K\x01(K\x02K\x031.", 1),
        (b"(K\x01K\x02\x91.", frozenset({1, 2})),
        (b"\x80\x05\x96\x02\0\0\0\0\0\0\0ab\x98.", b"ab"),
        (b"\x8a\x01\xff.", -1),
        (b"\x8b\x02\0\0\0\xff\0.", 255),
        (b"M\x01\x02.", 513),
        (b"J\xff\xff\xff\xff.", -1),
    ],
)
def test_single_opcodes(data: bytes, expected: object, tmp_path: Path) -> None:
    found = read_bytes(data, tmp_path).roots[0]
    if expected == [1]:
        assert found.items[1] is found
    else:
        assert plain(found) == expected


def test_opcodes_that_call(tmp_path: Path) -> None:
    inst = read_bytes(b"(I1\nicollections\nOrderedDict\n.", tmp_path).roots[0]
    assert (inst.how, str(inst.call), inst.args) == ("inst", "collections.OrderedDict", [1])
    obj = read_bytes(b"(cos\nsystem\nI1\no.", tmp_path).roots[0]
    assert (obj.how, str(obj.call), obj.args) == ("inst", "os.system", [1])
    ext = read_bytes(b"\x80\x02\x83\x34\x12.", tmp_path)
    assert (ext.roots[0].how, ext.roots[0].args) == ("ext", [0x1234])
    assert "extension registry" in ext.notes[0]
    assert read_bytes(b"Pab\n.", tmp_path).roots[0].id == "ab"
    assert read_bytes(b"K\x07Q.", tmp_path).roots[0].id == 7
    buffer = read_bytes(b"\x80\x05\x97\x98.", tmp_path)
    assert buffer.roots[0].kind == "buffer"


def test_memo_numbers_out_of_sequence(tmp_path: Path) -> None:
    found = read_bytes(
        b"(K\x01q\x05K\x02q\x00K\x03r\x00\x01\x00\x00K\x04\x94h\x05h\x00j\x00\x01\x00\x00h\x03l.", tmp_path
    )
    assert plain(found.roots[0]) == [1, 2, 3, 4, 1, 2, 3, 4]


def test_several_pickles_in_a_row_and_what_is_none(tmp_path: Path) -> None:
    data = b"".join(pickle.dumps(index) for index in range(3))
    assert read_bytes(data, tmp_path).roots == (0, 1, 2)
    needs = read_bytes(data + b"rest", tmp_path)
    assert needs.roots == (0, 1, 2)
    assert "no pickle" in needs.notes[0]


def test_two_states_are_both_kept(tmp_path: Path) -> None:
    made = read_bytes(b"ccollections\nOrderedDict\n)R}(K\x01K\x02ub}(X\x01\0\0\0aK\x03ub.", tmp_path).roots[0]
    assert isinstance(made.state, Mapping)
    assert made.attributes() == {"a": 3}


def test_a_canary_is_only_read(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    data = f"cos\nsystem\n(S'touch {canary}'\ntR.".encode()
    for wrapped in (data, b"\x80\x02" + data, data * 3):
        needs = read_bytes(wrapped, tmp_path)
        assert [str(item) for item in needs.globals] == ["os.system"]
    assert not canary.exists()


def test_the_graph_shares_what_the_stream_shares(tmp_path: Path) -> None:
    shared = ["x"]
    found = read_bytes(pickle.dumps((shared, [shared])), tmp_path).roots[0]
    assert found.items[0] is found.items[1].items[0]


def test_globals_of_dotted_names(tmp_path: Path) -> None:
    data = pickle.dumps(Outer.Inner(), 4)
    assert Global("tests.artifacts.test_machine", "Outer.Inner") in {
        Global(item.module, item.name) for item in read_bytes(data, tmp_path).globals
    }


class Outer:
    class Inner:
        pass


@pytest.mark.parametrize(
    "data",
    [b".", b"0.", b"h\x00.", b"g5\n.", b"K\x01t.", b"K\x01e.", b"\x93.", b"K\x01K\x02\x93.", b"}K\x01u.", b"}(K\x01u.",
     b"K\x01K\x02b.", b"K\x01K\x02a.", b"\x80\x09K\x01.", b"X\xff\xff\xff\x7fabc.",
     b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x8b\xff\xff\xff\xff.",
     b"T\xff\xff\xff\xff.", b"Iabc\n.", b"Fabc\n.", b"S'abc\n.", b"p-1\n.", b"\xff.", b"K",
     b"c", b"cos\n", b"(((((", b")K\x01a."],
)  # fmt: skip
def test_what_no_unpickler_takes_is_an_error(data: bytes, tmp_path: Path) -> None:
    for start in (b"", b"\x80\x04"):
        with pytest.raises(ArtifactError) as caught:
            read_bytes(start + data, tmp_path)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) in str(caught.value)


def test_items_of_the_shared_empty_tuple_stay_apart(tmp_path: Path) -> None:
    found = read_bytes(b"\x80\x02)).", tmp_path).roots[0]
    assert isinstance(found, Items)
    assert found.length == 0


def test_unset_state(tmp_path: Path) -> None:
    made = read_bytes(pickle.dumps(datetime.date(2024, 1, 1)), tmp_path).roots[0]
    assert isinstance(made, Made)
    assert made.state is UNSET
    assert made.attributes() == {}


def test_a_memo_that_is_too_full_lets_go_and_says_so(tmp_path: Path) -> None:
    rows = [[index] for index in range(150_000)]
    words = [f"word {index}" for index in range(50_000)]
    needs = read_bytes(pickle.dumps([rows, words, rows[5], rows[140_000], words[40_000], datetime.date]), tmp_path)
    found = needs.roots[0].items
    assert plain(found[2]) == [5]
    assert found[3].kind == "dropped"
    assert found[4] == "word 40000"
    assert found[5] == ("datetime", "date", found[5].at)
    assert "let go" in needs.notes[0]

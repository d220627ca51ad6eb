"""One operation, one contract: the class in ``server/domain/operations``, its file in ``lua/operations``, the codec."""

import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.domain.exchange import Exchange
from server.domain.key_limits import Quota
from server.domain.likeness import FOLD_VERSION
from server.domain.operations import Operation, operation_types
from server.domain.operations.reservations import Edit, Extend, Line, LineEdit, Order, Reserve, Return, ReturnedLine
from server.domain.operations.stock import Disposition
from server.store.ledger.codec import pack
from server.store.lua_library import LibraryError, assemble, with_places
from tests.support.http import ROOT

LUA = ROOT / "lua"
LUA_FILES = sorted(LUA.rglob("*.lua"))
LINE_MAX = 120
"""Characters, as in Python."""
LINES_MAX = 300
HEADERS = {"functions": ("KEYS", "ARGV", "Reply"), "operations": ("Effect", "Answers")}
"""What the header of each file in a folder describes, beside its purpose."""
COMPOSITES = {"among", "bind", "exchange"}
"""Operations in front of another one; no class of theirs is sent as it is."""
BARE = re.compile(r"fields\[\w+ [+-] \d+\]")
OPERATION = re.compile(r"^(?:operation|composite)\('(\w+)'", re.MULTILINE)
FUNCTION = re.compile(r"^(?:register|register_apart)\('(\w+)'", re.MULTILINE)


def bare_places(text: str) -> list[str]:
    """Find places of fields that are written as a number: a new field would change them unseen."""
    return [found for line in text.splitlines() for found in BARE.findall(line.partition("--")[0])]


def too_long(text: str) -> list[str]:
    """Find the lines of a file that are too long, and the file itself if it has too many of them."""
    lines = text.splitlines()
    wide = [f"line {number}" for number, line in enumerate(lines, 1) if len(line) > LINE_MAX]
    return wide + ([f"{len(lines)} lines"] if len(lines) > LINES_MAX else [])


def missing_in_header(path: Path, text: str) -> list[str]:
    """Find what the header of a file should describe and does not: its purpose, and what ``HEADERS`` names."""
    header = list(takewhile(lambda line: line.startswith("--"), text.splitlines()))
    words = HEADERS.get(path.parent.name, ())
    missing = [word for word in words if not any(line.startswith(f"-- {word} ") for line in header)]
    return missing if header and len(header[0]) > len("-- One short one.") else ["purpose", *missing]


def decoded(packed: bytes) -> list[Any]:
    """Read the values that follow each other, which an array of that length would hold."""
    values = []
    while packed:
        for end in range(1, len(packed) + 1):
            try:
                values.append(msgspec.msgpack.decode(packed[:end]))
            except msgspec.DecodeError:
                continue
            packed = packed[end:]
            break
    return values


def test_every_operation_has_its_file_and_every_file_its_operation() -> None:
    files = {path.stem for path in (LUA / "operations").glob("*.lua")}

    assert files == set(operation_types()) | COMPOSITES


@pytest.mark.parametrize("path", sorted(LUA.glob("operations/*.lua")), ids=lambda path: path.stem)
def test_a_file_registers_the_operation_that_it_is_named_after(path: Path) -> None:
    assert OPERATION.findall(path.read_text("utf-8")) == [path.stem]


@pytest.mark.parametrize("path", sorted(LUA.glob("functions/*.lua")), ids=lambda path: path.stem)
def test_a_file_registers_the_function_that_it_is_named_after(path: Path) -> None:
    assert FUNCTION.findall(path.read_text("utf-8")) == [path.stem]


@pytest.mark.parametrize("kind", operation_types().values())
def test_the_function_of_every_operation_exists(kind: type[Operation]) -> None:
    assert (LUA / "functions" / f"{kind.function}.lua").exists()


def test_no_field_of_an_operation_stands_by_its_number() -> None:
    bare = {path.name: bare_places(path.read_text("utf-8")) for path in LUA.rglob("*.lua")}

    assert {name: found for name, found in bare.items() if found} == {}


def test_a_field_that_stands_by_its_number_is_found() -> None:
    assert bare_places("local sku = fields[at + 4] -- fields[at + 5]") == ["fields[at + 4]"]


@pytest.mark.parametrize("path", LUA_FILES, ids=lambda path: path.stem)
def test_no_line_and_no_file_is_too_long_to_read(path: Path) -> None:
    assert too_long(path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", LUA_FILES, ids=lambda path: path.stem)
def test_the_header_of_every_file_describes_its_contract(path: Path) -> None:
    assert missing_in_header(path, path.read_text("utf-8")) == []


def test_a_line_and_a_file_too_long_are_found() -> None:
    assert too_long("x" * LINE_MAX + "\n" + "x" * (LINE_MAX + 1)) == ["line 2"]
    assert too_long("\n" * LINES_MAX) == []
    assert too_long("\n" * (LINES_MAX + 1)) == ["301 lines"]


def test_a_header_that_leaves_something_out_is_found() -> None:
    path = LUA / "functions" / "planted.lua"

    assert missing_in_header(path, "local planted = 1\n") == ["purpose", "KEYS", "ARGV", "Reply"]
    assert missing_in_header(path, "-- planted: answers one question.\n--\n-- KEYS  [1] meta\n-- Reply 1\n") == ["ARGV"]


def test_places_come_from_the_class() -> None:
    assert with_places("fields[at + Extend.ttl_ms] -- Extend.ttl_ms") == "fields[at + 5] -- Extend.ttl_ms"
    assert Extend.__struct_fields__[5 - 1] == "ttl_ms"


@pytest.mark.parametrize("name", ["Extend.sku", "Nothing.sku", "Record.nothing"])
def test_a_name_that_no_class_has_is_found(name: str) -> None:
    with pytest.raises(LibraryError, match=re.escape(name)):
        with_places(f"local place = {name}\n")


def test_nothing_of_the_library_is_left_by_its_name() -> None:
    text = with_places(assemble())

    assert not re.search(r"^-- @", text, re.MULTILINE)
    assert not [line for line in text.splitlines() if re.search(r"\b[A-Z]\w*[a-z]\w*\.\w", line.partition("--")[0])]


@pytest.mark.parametrize(
    "operation",
    [
        Reserve("f", "who", "id", "web", [Line("A", "main", 2)], 5_000, True, "order", "customer", ["vip"]),
        Order("f", "who", "id", "web", [Line("A", "main", 2)], True, False, "order", "customer", ["vip"]),
    ],
)
def test_a_new_reservation_travels_as_its_wire_says(operation: Reserve | Order) -> None:
    values = decoded(pack(operation))
    head = len(operation.wire) - 1

    fields = dict(zip(operation.wire[:-1], values[1 : 1 + head], strict=True))

    assert fields.pop("line_count") == len(operation.lines)
    assert fields.pop("channel_lines") is False, "none is less to unpack than an empty list"
    assert fields.pop("quota") is False, "nor has a key one, nor an order"
    assert fields == {name: getattr(operation, name) for name in fields}
    assert values[1 + head :] == ["A", "main", 2]
    assert operation.wire.index("lines") + 1 == 1 + head


@pytest.mark.parametrize(
    "operation",
    [
        Reserve("f", "who", "id", "web", [Line("A", "main", 2)], 5_000, quota=Quota("partner", 40, 9)),
        Edit("f", "who", "id", "", [LineEdit(1, "", "", 2)], quota=Quota("partner", 40, 9)),
    ],
)
def test_a_quota_travels_as_one_text(operation: Reserve | Edit) -> None:
    assert decoded(pack(operation)).count("40 9 partner") == 1


@pytest.mark.parametrize("kind", [kind for kind in operation_types().values() if not kind.wire])
def test_any_other_operation_travels_in_the_order_of_its_class(kind: type[Operation]) -> None:
    fields = kind.__struct_fields__
    values: list[Any] = [[] if name == "lines" else f"Value of {name}" for name in fields]
    operation = kind(*values)

    folds = [{name: name.lower() for name in names} for names in operation.names]
    head = ["named", FOLD_VERSION, *folds] if any(folds) else []
    assert decoded(pack(operation)) == [*head, kind.__struct_config__.tag, *values]


def test_the_folds_of_what_a_return_names_stand_in_front_of_it_also_in_an_exchange() -> None:
    returned = Return("f", "who", "r", "k", [ReturnedLine(1, 1, Disposition.RESTOCK, "İzmir")])
    exchange = Exchange(returned, Order("f", "who", "new", "web", [Line("A", "main", 2)]))

    for operation in (returned, exchange):
        assert decoded(pack(operation))[:4] == ["named", FOLD_VERSION, {}, {"İzmir": "izmir"}]


@pytest.mark.parametrize("kind", [kind for kind in operation_types().values() if kind.names is not Operation.names])
def test_an_operation_that_names_things_says_whether_they_are_meant_and_its_function_knows_the_names(
    kind: type[Operation],
) -> None:
    assert kind.__struct_fields__[-1] == "allow_similar"
    assert "likeness.begin" in (LUA / "functions" / f"{kind.function}.lua").read_text("utf-8")

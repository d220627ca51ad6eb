"""All faults of a value at once, in plain words: against what the library that reads bodies would refuse."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta

from server.api.routes import ROUTES
from server.domain.field_faults import FAULTS_MAX, LOOKS_MAX, Fault, Looks, faults_of
from server.domain.type_words import in_words, what_came

BODIES = sorted({route.body for route in ROUTES if route.body is not None}, key=lambda body: body.__name__)


class Part(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    sku: Annotated[str, Meta(min_length=1, max_length=8)] = ""
    quantity: Annotated[int, Meta(ge=1, le=1_000)]


class Red(msgspec.Struct, tag_field="kind", tag="red"):
    depth: int


class Blue(msgspec.Struct, tag_field="kind", tag="blue"):
    on: date


class Whole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    parts: Annotated[list[Part], Meta(min_length=1, max_length=2_000)]
    colours: list[Red | Blue] = []
    word: Literal["one", "two"] | list[Literal["one", "two"]] | msgspec.UnsetType = msgspec.UNSET
    at: Annotated[datetime, Meta(tz=True)] | None = None
    notes: dict[str, int] = {}
    share: Annotated[float, Meta(ge=0, le=1)] | None = None


def found(value: object, wanted: Any = Whole) -> list[tuple[str, str]]:
    return [(fault.field, fault.rule) for fault in faults_of(value, wanted)]


def test_all_faults_are_found_in_the_order_of_the_body_and_what_is_missing_comes_last() -> None:
    value = {
        "sahre": 1,
        "parts": [{"sku": "", "quantity": 0}, {"sku": "A", "quantity": 1}, {"qantity": 1}, 7],
        "colours": [{"kind": "red", "depth": "x"}, {"kind": "bleu"}, {"on": "2026-01-01"}],
        "word": ["one", "three"],
        "at": "2026-01-01T00:00:00",
        "notes": {"a": "b"},
        "share": 2,
    }

    assert found(value) == [
        ("sahre", "is not known here; did you mean share?"),
        ("parts[0].sku", "must be text of 1 to 8 characters, not an empty text"),
        ("parts[0].quantity", "must be a whole number from 1 to 1,000, not 0"),
        ("parts[2].qantity", "is not known here; did you mean quantity?"),
        ("parts[2].quantity", "is required: a whole number from 1 to 1,000"),
        ("parts[3]", "must be an object, not 7"),
        ("colours[0].depth", "must be a whole number, not 'x'"),
        ("colours[1].kind", "must be 'red' or 'blue', not 'bleu'; did you mean blue?"),
        ("colours[2].kind", "is required: 'red' or 'blue'"),
        ("word[1]", "must be 'one' or 'two', not 'three'"),
        ("at", "must be a time with its zone, such as 2026-12-01T09:30:00Z, not '2026-01-01T00:00:00'"),
        ("notes.a", "must be a whole number, not 'b'"),
        ("share", "must be a number from 0 to 1, not 2"),
    ]


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ([], "must be an object, not a list of 0"),
        (None, "must be an object, not null"),
        ("x" * 41, "must be an object, not a text of 41 characters"),
        (10**30, "must be an object, not one of more than 20 digits"),
        (b"x", "must be an object, not binary data"),
        (True, "must be an object, not true"),
    ],
)
def test_what_is_no_object_at_all_is_said_of_the_body(value: object, rule: str) -> None:
    assert found(value) == [("body", rule)]


def test_what_is_sound_has_no_faults() -> None:
    value = {
        "parts": [{"quantity": 1}], "word": "two", "at": None, "colours": [{"kind": "blue", "on": "2026-01-01"}],
        "notes": {"x": 1}, "share": 0.5,
    }  # fmt: skip
    msgspec.convert(value, Whole)

    assert found(value) == []


def test_a_long_name_and_many_faults_are_bounded() -> None:
    assert found({"x" * 100_000: 1, "parts": [{"quantity": 1}]})[0][0] == "x" * 64 + "…"
    assert len(found({f"x{number}": 1 for number in range(10_000)})) == FAULTS_MAX


def test_a_fault_far_behind_is_found_although_each_value_is_looked_at_only_to_a_bound() -> None:
    parts: list[dict[str, object]] = [{"sku": "A", "quantity": 1} for _ in range(2_000)]
    parts[1_990]["quantity"] = 0
    looks = Looks()

    faults = faults_of({"parts": parts}, Whole, looks=looks)

    assert faults == [Fault("parts[1990].quantity", "must be a whole number from 1 to 1,000, not 0")]
    assert looks.left > -10
    assert len(parts) > LOOKS_MAX


def test_words_of_a_query_may_be_numbers_in_text() -> None:
    assert faults_of({"sku": "A", "quantity": "7"}, Part, strict=False) == []
    assert faults_of({"sku": "A", "quantity": "seven"}, Part, strict=False) != []


def test_every_field_of_every_body_can_be_said_in_words() -> None:
    for body in BODIES:
        for field in msgspec.structs.fields(body):
            assert in_words(field.type) not in ("", "null"), (body.__name__, field.name)


def test_what_came_is_said_of_every_kind_of_value() -> None:
    values: tuple[object, ...] = (
        None,
        True,
        1,
        -1,
        1.5,
        float("nan"),
        "a",
        "\x1b",
        [],
        (),
        {},
        b"",
        datetime.now().astimezone(),
        object(),
    )
    assert all(map(what_came, values))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.binary(max_size=4),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=12,
)


@st.composite
def nearly_right(draw: st.DrawFn) -> tuple[Any, dict[str, object]]:
    """A body of a route with fields that it has, and values of any kind in them."""
    body = draw(st.sampled_from(BODIES))
    names = [field.encode_name for field in msgspec.structs.fields(body)]
    return body, draw(st.dictionaries(st.sampled_from([*names, "other"]), VALUES, max_size=5))


@settings(max_examples=400, deadline=None)
@given(nearly_right())
def test_what_the_library_refuses_has_faults_and_what_it_takes_has_none(made: tuple[Any, dict[str, object]]) -> None:
    body, value = made
    assert bool(faults_of(value, body)) == is_refused(value, body)


def is_refused(value: object, body: Any) -> bool:
    try:
        msgspec.convert(value, body)
    except msgspec.ValidationError:
        return True
    return False

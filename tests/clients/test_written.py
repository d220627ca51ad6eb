"""What the clients say of the API is what this version of the API is."""

import inspect
import re
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

import holdfast
import server
from clients.generate.schemas import operations
from clients.generate.written import PYTHON_TYPES, ROOT, written
from holdfast import client
from holdfast.binding import Operation as OperationMethod
from holdfast.binding import Resource
from holdfast.calls import Call, Repeat
from holdfast.errors import refusal
from holdfast.types import Problem
from tests.clients.methods import METHODS, STREAM, Operation, all_operations
from tests.clients.outcomes_of import own_outcomes
from tests.house.test_house import imports
from tests.support.contract import contract

CLIENTS = ROOT / "clients"


def test_the_types_are_written_from_this_version_of_the_api() -> None:
    stale = [str(path.relative_to(ROOT)) for path, text in written().items() if path.read_text("utf-8") != text]

    assert stale == [], "python -m clients.generate"


def test_nothing_else_stands_among_the_written_types() -> None:
    assert set(PYTHON_TYPES.glob("*.py")) == {path for path in written() if path.suffix == ".py"}


def test_the_python_client_has_the_version_of_the_api() -> None:
    assert holdfast.__version__ == server.__version__ == contract().document["info"]["version"]


def test_its_distribution_has_another_name_than_the_server_s() -> None:
    def name(path: Path) -> str:
        return str(tomllib.loads(path.read_text("utf-8"))["project"]["name"])

    assert name(CLIENTS / "python" / "pyproject.toml") != name(ROOT / "pyproject.toml")


def test_every_operation_has_a_method_and_every_method_an_operation() -> None:
    described = {each["operationId"] for _, _, each in operations(contract().document)}
    made = {
        f"{resource}.{name}"
        for resource, value in vars(client.Client("http://localhost")).items()
        if isinstance(value, Resource)
        for name in dir(type(value))
        if isinstance(getattr(type(value), name), OperationMethod)
    }

    assert set(METHODS) == described
    assert sorted(METHODS.values()) == sorted({*made, STREAM})


def test_no_module_of_the_client_is_too_long() -> None:
    by_hand = [path for path in (CLIENTS / "python").rglob("*.py") if path.parent != PYTHON_TYPES]
    lengths = {path: path.read_text("utf-8").count("\n") for path in by_hand}

    assert {path.name: lines for path, lines in lengths.items() if lines >= 300} == {}


def test_the_client_knows_nothing_of_the_server() -> None:
    allowed = {*sys.stdlib_module_names, "holdfast", "httpx", "msgspec"}
    modules = {path.name: path.read_text("utf-8") for path in (CLIENTS / "python").rglob("*.py")}

    strange = {(name, each) for name, text in modules.items() for _, each in imports(text)}

    assert {(name, each) for name, each in strange if each.split(".")[0] not in allowed} == set()


def made_call(operation: Operation) -> tuple[Call[Any], list[str]]:
    """Make the call of an operation with all its parameters, each with a value that says its name."""
    at = getattr(client.Client("http://localhost"), operation.resource)
    method = getattr(at, operation.method)
    names = [name for name in inspect.signature(method).parameters if name != "self"]
    given: dict[str, Any] = {name: value_of(name) for name in names}
    asked = method.call(**given)
    if not isinstance(asked, Call):
        asked = next(asked)
    return asked, names


def value_of(name: str) -> Any:
    if name == "file":
        return b"sku"
    if name in ("skus", "keys", "lines", "barcodes", "listings", "rules", "movements", "reservations", "orders", "ids"):
        return [f"<{name}>"]
    return True if name == "dry_run" else f"<{name}>"


OPERATIONS = [each for each in all_operations() if f"{each.resource}.{each.method}" != STREAM]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.resource}.{each.method}")
def test_a_method_takes_every_parameter_of_its_operation_and_no_other(operation: Operation) -> None:
    call, names = made_call(operation)

    url = urlsplit(call.path)
    assert operation.matches(call.method, url.path), (call, operation.path)
    assert set(parse_qs(url.query)) == set(operation.parameters("query"))
    if (operation.resource, operation.method) != ("files", "send"):
        body = {} if call.body is None else msgspec.json.decode(call.body)
        assert set(body) == set(operation.body_fields)
    path_and_own = len(operation.parameters("path")) + ("idempotency_key" in names) + ("file" in names)
    assert len(names) == path_and_own + len(operation.parameters("query")) + len(operation.body_fields)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.resource}.{each.method}")
def test_what_can_be_repeated_is_what_the_api_says(operation: Operation) -> None:
    call, names = made_call(operation)

    takes_key = "Idempotency-Key" in operation.parameters("header")
    assert ("idempotency_key" in names) == takes_key
    assert (call.repeat is Repeat.HAS_KEY) == takes_key
    if operation.verb == "GET":
        assert call.repeat is Repeat.READS


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.resource}.{each.method}")
def test_a_method_says_what_it_is_refused_for_and_by_which_exception(operation: Operation) -> None:
    method = getattr(type(getattr(client.Client("http://localhost"), operation.resource)), operation.method)
    raised = " ".join((method.__doc__ or "").split()).partition("Raises ``")[2].partition(". ")[0]
    said = {
        name: set(re.findall(r"\w+", outcomes)) or {"out_of_stock"}
        for name, outcomes in re.findall(r"(\b[A-Z]\w+)``(?: \(([^)]*)\))?", raised)
    }

    expected = dict[str, set[str]]()
    for status, outcome in own_outcomes(operation):
        problem = Problem(type="", title="", status=status, detail="", outcome=outcome, retryable=False)
        expected.setdefault(type(refusal(problem)).__name__, set()).add(outcome)
    assert said == expected, f"the docstring of {operation.method} says otherwise"


def test_the_answer_of_a_method_is_that_of_its_operation() -> None:
    wrong = []
    for operation in OPERATIONS:
        call, _ = made_call(operation)
        [answered] = {
            content["schema"].get("$ref", "").rpartition("/")[2]
            for status, response in operation.described["responses"].items()
            if status.startswith("2")
            for content in list(response["content"].values())[:1]
        }
        if call.answer.__name__ != (answered or "bytes"):
            wrong.append((operation.method, call.answer, answered))

    assert wrong == []

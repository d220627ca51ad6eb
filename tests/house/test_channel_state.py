"""No module reaches through a channel's state into its components: what others need has a method on it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOLDERS = frozenset({"state", "_state"})
"""Names and attributes that hold a ``ChannelState`` in ``server/channels`` and in the tests of channels."""


def sources() -> dict[str, str]:
    folders = [ROOT / "server" / "channels", ROOT / "tests" / "channels", ROOT / "tests" / "rigs" / "simulation"]
    return {str(path.relative_to(ROOT)): path.read_text("utf-8") for folder in folders for path in folder.rglob("*.py")}


def reaches(source: str) -> Iterator[str]:
    """Find every ``….state.<component>.<attribute>`` and ``….state._private``."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        is_private = node.attr.startswith("_") and is_state(node.value)
        is_deeper = isinstance(node.value, ast.Attribute) and is_state(node.value.value)
        if is_private or is_deeper:
            yield ast.unparse(node)


def is_state(node: ast.expr) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr in HOLDERS) or (
        isinstance(node, ast.Name) and node.id in HOLDERS
    )


def test_no_module_reaches_through_a_channel_s_state() -> None:
    assert {name: found for name, source in sources().items() if (found := list(reaches(source)))} == {}


def test_the_modules_that_use_the_state_are_looked_at() -> None:
    assert {
        "server/channels/publisher.py",
        "server/channels/outbound/sender.py",
        "server/channels/outbound/push_results.py",
        "tests/channels/test_engine.py",
    } < set(sources())


@pytest.mark.parametrize(
    "source",
    [
        "channel.state.pending.oldest()",
        "self._state.dead_letters.pop(sku)",
        "state.in_flight.keys()",
        "len(channel.state._pending)",
        "sender.state.rules.cadence_s",
    ],
)
def test_a_reach_through_the_state_is_found(source: str) -> None:
    assert len(list(reaches(source))) == 1


@pytest.mark.parametrize("source", ["self.state.due(1, 0.0, can_send)", "channel.state.name", "self._pending.oldest()"])
def test_a_method_of_the_state_may_be_called(source: str) -> None:
    assert list(reaches(source)) == []

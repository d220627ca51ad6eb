"""``--reason``: what a command changes keeps why in the journal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.store.command_session import OpenStore, open_store
from server.store.journal.journal import read
from server.store.keys import Keyspace
from tests.conftest import RETENTION
from tests.support.processes import holdfast

KEYSPACE = Keyspace("default")


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Run the embedded store of ``tmp_path``, with some stock."""
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        (tmp_path / "stock.csv").write_text("sku,on_hand,location\nA,10,main\nB,20,depo\n", "utf-8")
        assert holdfast("import", "stock.csv", cwd=tmp_path).returncode == 0
        yield opened


async def last_reason(opened: OpenStore, operation: str) -> str:
    """The reason of the last change of an operation that has one."""
    found = [
        value
        async for _, changes in read(opened.client, KEYSPACE)
        for change in changes
        if change.operation == operation
        for name, value in change.notes
        if name == "reason"
    ]
    return found[-1] if found else ""


@pytest.mark.parametrize(
    ("words", "operation", "reason"),
    [
        (("rename", "A", "BRAND NEW"), "renamed", "as on the box"),
        (("locations", "rename", "depo", "hub"), "renamed", "it moved"),
        (("undo",), "adjust", "of last week"),
    ],
)
async def test_given_a_reason_when_a_command_changes_something_then_the_journal_has_it(
    opened: OpenStore, tmp_path: Path, words: tuple[str, ...], operation: str, reason: str
) -> None:
    ended = holdfast(*words, "--reason", reason, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert (await last_reason(opened, operation)).startswith(reason)


@pytest.mark.parametrize("words", [("rename", "A", "BRAND NEW"), ("locations", "rename", "depo", "hub"), ("undo",)])
async def test_given_a_reason_that_cannot_be_when_given_then_nothing_changes(
    opened: OpenStore, tmp_path: Path, words: tuple[str, ...]
) -> None:
    before = [entry async for entry, _ in read(opened.client, KEYSPACE)]

    ended = holdfast(*words, "--reason", "two\nlines", cwd=tmp_path)

    assert (ended.returncode, "control characters" in ended.stderr) == (2, True)
    assert [entry async for entry, _ in read(opened.client, KEYSPACE)] == before

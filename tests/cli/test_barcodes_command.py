"""``holdfast barcodes list``, ``add`` and ``remove``: on the store here and on a server elsewhere."""

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import wait_until
from tests.support.http import Key, Server, opened
from tests.support.processes import holdfast

pytestmark = pytest.mark.timeout(300)
COUNTER = Key("counter", "default", ("read", "stock"))
READER = Key("reader", "default", ("read",))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(keys=(COUNTER, READER)) as started:
        yield started
        assert started.faults == []


def command(server: Server, where: str, *words: str, key: Key = COUNTER) -> "subprocess.CompletedProcess[str]":
    path = server.directory / f"{key.id}.key"
    path.write_text(key.token, "utf-8")
    asked = ("--url", server.url, "--key", path) if where == "elsewhere" else ("--data-dir", server.data_dir)
    return holdfast("barcodes", *words, *asked, cwd=server.directory)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
async def test_a_barcode_is_added_listed_and_removed(server: Server, where: str) -> None:
    sku = f"MUG-{where}"

    added = command(server, where, "add", f"b-{where}", sku, "--factor", "6", "--reason", "a new carton")
    assert (added.returncode, added.stdout) == (0, f"b-{where}: 6 × {sku}\n")

    def is_listed() -> bool:
        listed = command(server, where, "list", sku, "--json")
        return bool(json.loads(listed.stdout)["barcodes"] == [{"barcode": f"b-{where}", "factor": 6}])

    await wait_until(is_listed, "it is found", 60.0)
    assert f"b-{where}" in command(server, where, "list", sku).stdout
    removed = command(server, where, "remove", f"b-{where}", "--reason", "misprinted")
    assert removed.stdout == f"b-{where} is removed; it was 6 × {sku}.\n"
    assert command(server, where, "list", sku).stdout == f"No barcode of {sku} is known.\n"
    async with opened(server, COUNTER) as api:
        changes = (await api.get(f"/v1/history?key=b-{where}")).ok()["changes"]
    assert [each["reason"] for each in changes] == ["misprinted", "a new carton"]


def test_a_barcode_that_is_not_there_and_a_key_that_may_not_are_said(server: Server) -> None:
    unknown = command(server, "here", "remove", "nothing")
    refused = command(server, "elsewhere", "remove", "nothing", key=READER)

    assert (unknown.returncode, "Barcode is not registered" in unknown.stderr) == (1, True)
    assert (refused.returncode, "scope stock" in refused.stderr) == (1, True)

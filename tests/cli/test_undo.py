"""``holdfast undo``: an import is taken back where nothing since contradicts, and what is not taken back is said."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from server.domain.channels import Listing
from server.files.applying import Origin, _begun
from server.files.barcodes import BARCODES
from server.files.file_import import ImportStoppedError, Tally, Target
from server.files.keeper import keep_before
from server.files.stock import count_rows, source_of, stock_import
from server.files.undo import choose, undo_stock
from server.store.command_session import OpenStore, open_store
from server.store.journal import journal
from server.store.keys import Keyspace
from server.store.repositories.barcodes import Pack, find_barcodes, put_barcodes
from server.store.repositories.channels import ChannelStore
from server.store.repositories.imports import ImportRecord, ImportStore
from tests.conftest import RETENTION
from tests.support.operations import count, fulfil, order
from tests.support.processes import holdfast

KEYSPACE = Keyspace("default")


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Run the embedded store of ``tmp_path``, with some stock."""
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        ran(tmp_path, "import", "sku,on_hand,safety\nA,10,2\nB,20,\nC,30,\n")
        yield opened


def ran(cwd: Path, command: str, text: str, *words: str, code: int = 0) -> list[str]:
    """Run a command with a file; return what it prints."""
    (cwd / "rows.csv").write_text(text, "utf-8")
    ended = holdfast(*command.split(), "rows.csv", *words, cwd=cwd)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stderr.splitlines() + ended.stdout.splitlines()


def undone(cwd: Path, *words: str, code: int = 0) -> list[str]:
    ended = holdfast("undo", *words, cwd=cwd)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stderr.splitlines() + ended.stdout.splitlines()


async def levels(opened: OpenStore) -> dict[str, tuple[int, int]]:
    return {level.sku: (level.on_hand, level.safety) async for level in opened.levels("default")}


async def test_an_import_is_taken_back_and_the_audit_is_clean(opened: OpenStore, tmp_path: Path) -> None:
    before = await levels(opened)
    ran(tmp_path, "import", "sku,on_hand,safety\nA,15,\nB,5,3\nC,30,\nD,7,\n", "--new")

    said = undone(tmp_path, "--dry-run")
    assert [line for line in said if " at main: " in line] == [
        "A at main: 15 → 10",
        "B at main: 5 → 20, safety 3 → 0",
        "D at main: 7 → 0",
    ]
    assert said[-1] == "Dry run: nothing was changed."
    assert (await levels(opened))["A"] == (15, 2)
    done = undone(tmp_path)

    assert any("3 changes: 3 taken back, 0 not" in line for line in done)
    assert any("1 name is a SKU that was new with it" in line for line in done)
    assert await levels(opened) == before | {"D": (0, 0)}
    assert holdfast("verify", cwd=tmp_path).returncode == 0


async def test_what_was_shipped_and_received_since_stays_counted(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand\nA,50\n")
    await opened.ledger("default").run(order("o-1", ("A", 4)))
    await opened.ledger("default").run(fulfil("o-1", (1, 4)))
    ran(tmp_path, "move", "kind,sku,quantity\nreceive,A,6\n")

    undone(tmp_path)  # of the delivery
    assert (await levels(opened))["A"] == (46, 2)
    undone(tmp_path)  # and of the import before it

    assert (await levels(opened))["A"] == (6, 2)
    assert holdfast("verify", cwd=tmp_path).returncode == 0


async def test_units_that_are_sold_are_not_taken_from_under_orders(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand,safety\nA,40,0\nB,25,\n")
    await opened.ledger("default").run(order("o-1", ("A", 35)))

    said = undone(tmp_path, code=1)

    refusal = (
        "A at main: 32 units would go, but only 5 are free: the others are reserved, sold or kept back."
        " --short takes them back all the same, and shows the shortage"
    )
    assert refusal in said  # 30 that it counted, and 2 that it no longer kept back
    assert any("2 changes: 1 taken back, 1 not" in line for line in said)
    assert ((await levels(opened))["A"], (await levels(opened))["B"]) == ((40, 0), (20, 0))
    assert holdfast("verify", cwd=tmp_path).returncode == 0

    again = undone(tmp_path, "--short")
    assert any("A at main: 40 → 10, safety 0 → 2; short of 27 now" in line for line in again)
    assert any("1 taken back, 1 before, 0 not" in line for line in again)
    assert (await levels(opened))["A"] == (10, 2)
    assert [each.available async for each in opened.levels("default") if each.sku == "A"] == [-27]
    assert holdfast("verify", cwd=tmp_path).returncode == 0


async def test_a_place_that_was_counted_since_keeps_its_number(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand\nA,15\nB,25\n")
    await opened.ledger("default").run(count("A", 14))

    said = undone(tmp_path, code=1)

    assert "A at main: it was counted since, and that number stands" in said
    assert {sku: each[0] for sku, each in (await levels(opened)).items()} == {"A": 14, "B": 20, "C": 30}


async def test_a_count_since_that_found_no_difference_stands_too(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand\nA,15\n")
    await opened.ledger("default").run(count("A", 15))  # nothing else has moved: it has the seq of the import

    said = undone(tmp_path, code=1)

    assert "A at main: it was counted since, and that number stands" in said
    assert (await levels(opened))["A"][0] == 15


async def test_units_that_have_left_are_not_taken_back(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "move", "kind,sku,quantity\nreceive,B,10\n")
    await opened.ledger("default").run(order("o-1", ("B", 25)))
    await opened.ledger("default").run(fulfil("o-1", (1, 25)))

    said = undone(tmp_path, "--short", code=1)

    assert "B at main: 10 units would go, but only 5 are there: the others have left" in said
    assert (await levels(opened))["B"][0] == 5


async def test_movements_of_each_kind_are_taken_back(opened: OpenStore, tmp_path: Path) -> None:
    before = await levels(opened)
    text = (
        "kind,sku,quantity,from,to,bucket,reason\nreceive,A,5,,,,PO-1\nadjust,A,-1,,,,lost\n"
        "move,B,3,available,damaged,,torn\nadjust,C,2,,,quality_control,odd\ncount,C,28,,,,\n"
    )
    ran(tmp_path, "move", text)
    shown = json.loads(holdfast("show", "B", "--json", cwd=tmp_path).stdout)
    assert shown["levels"][0]["damaged"] == 3

    undone(tmp_path)

    assert await levels(opened) == before
    [level] = [each async for each in opened.levels("default") if each.sku == "C"]
    assert (level.quality_control, level.damaged) == (0, 0)
    assert holdfast("verify", cwd=tmp_path).returncode == 0


@pytest.mark.usefixtures("opened")
def test_the_list_names_imports_and_one_can_be_chosen(tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand\nA,15\n")
    ran(tmp_path, "import", "sku,on_hand\nB,25\n")
    ran(tmp_path, "import", "sku,on_hand\nB,25\n")  # without an effect: nothing to take back

    listed = json.loads(holdfast("undo", "--list", "--json", cwd=tmp_path).stdout)

    assert [(each["kind"], each["rows"], each["state"]) for each in listed] == [
        ("import", 1, "done"), ("import", 1, "done"), ("import", 3, "done"),
    ]  # fmt: skip
    undone(tmp_path, listed[1]["import"])
    assert "taken back already" in undone(tmp_path, listed[1]["import"])[0]
    assert "No import 0123 is remembered" in undone(tmp_path, "0123", code=1)[0]


async def test_an_undo_that_was_killed_goes_on_and_takes_nothing_back_twice(opened: OpenStore, tmp_path: Path) -> None:
    before = await levels(opened)
    ran(tmp_path, "import", "sku,on_hand,safety\nA,15,0\nB,25,\nC,35,\n")
    store, target = ImportStore(opened.client, KEYSPACE), Target(opened, "default")
    record = choose(await store.all(), None, interrupted=False)
    await undo_stock(target, record, Tally(), may_be_short=False, only_look=False)
    # As a kill leaves it: some of it is done, and that it is done is not remembered. The keys are forgotten by now.
    half = next(each for each in await store.all() if each.id == record.id)
    await store.put(_undoing(half))
    await opened.client.delete(KEYSPACE.idempotency)

    done = await undo_stock(target, _undoing(half), Tally(), may_be_short=False, only_look=False)

    assert (done.taken, done.before, done.is_whole) == ([], 3, True)
    assert await levels(opened) == before


def _undoing(record: ImportRecord) -> ImportRecord:
    return msgspec.structs.replace(record, state="undoing")


async def test_an_import_that_was_killed_is_completed_or_taken_back_on_demand(
    opened: OpenStore, tmp_path: Path
) -> None:
    content = b"sku,on_hand\nA,15\nB,25\n"
    store, target = ImportStore(opened.client, KEYSPACE), Target(opened, "default")
    file = stock_import("import rows.csv").read(content)
    record, _ = await _begun(store, target, file, Origin("import", "rows.csv"))
    source = source_of(file, target._replace(tag=record.id).tagged("import rows.csv"))
    await count_rows(target.ledger, file.rows[:1], source, Tally(), opened.client)  # and then comes the kill

    with pytest.raises(ImportStoppedError, match="was interrupted, or still runs"):
        choose(await store.all(), None, interrupted=False)
    assert "was interrupted" in undone(tmp_path, code=1)[0]
    said = ran(tmp_path, "import", content.decode())
    assert "2 rows: 1 set, 1 unchanged (same file imported before), 0 bad" in said
    newest, *_ = await store.all()
    assert (newest.id, newest.state) == (record.id, "done")

    undone(tmp_path)

    assert {sku: each[0] for sku, each in (await levels(opened)).items()} == {"A": 10, "B": 20, "C": 30}


async def test_an_import_that_the_journal_has_no_more_cannot_be_taken_back(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "import", "sku,on_hand\nA,15\n")
    await opened.client.xtrim(KEYSPACE.journal, maxlen=0, approximate=False)
    await opened.ledger("default").run(count("B", 21))

    said = undone(tmp_path, code=1)

    assert "The journal does not have all of the import" in said[0]
    assert (await levels(opened))["A"][0] == 15


# -- lists


@pytest.mark.usefixtures("opened")
def test_barcodes_categories_and_locations_get_what_they_had(tmp_path: Path) -> None:
    ran(tmp_path, "barcodes import", "barcode,sku\n8690000000036,A\n")
    ran(tmp_path, "barcodes import", "barcode,sku,factor\n8690000000036,B,6\nX-1,C,\n", "--yes")
    said = undone(tmp_path)
    assert ("8690000000036: as it was" in said, "X-1: taken away again" in said) == (True, True)
    assert "1 unit of A" in holdfast("barcodes", "scan", "8690000000036", cwd=tmp_path).stdout
    assert holdfast("barcodes", "scan", "X-1", cwd=tmp_path).returncode == 1

    ran(tmp_path, "locations import", "name,priority\nmain,3\n")
    ran(tmp_path, "locations import", "name,priority\nmain,5\nizmir,1\n")
    said = undone(tmp_path, code=1)
    assert "main: as it was" in said
    assert any(line.startswith("izmir: it was new, and stays registered") for line in said)

    ran(tmp_path, "rules categories", "sku,category\nA,shirts\n")
    ran(tmp_path, "rules categories", "sku,category\nA,\nB,mugs\n")
    undone(tmp_path)


async def test_listings_get_what_they_had_and_new_ones_are_unlisted(opened: OpenStore, tmp_path: Path) -> None:
    command = "channels listings shop"
    ran(tmp_path, command, "sku,key,price\nA,1,9.90\nB,2,5\n", "--new")
    ran(tmp_path, command, "sku,key,price\nA,2,8.00\nB,1,5\nC,3,\n", "--new")
    channels = ChannelStore(opened.client, KEYSPACE)

    undone(tmp_path)

    found = {each.sku: each async for each in channels.listings("shop")}
    assert found == {
        "A": Listing("A", "1", price="9.90"), "B": Listing("B", "2", price="5"), "C": Listing("C", "3", listed=False),
    }  # fmt: skip


@pytest.mark.usefixtures("opened")
def test_an_entry_that_was_changed_since_stays(tmp_path: Path) -> None:
    ran(tmp_path, "barcodes import", "barcode,sku\nX-1,A\nX-2,A\n")
    ran(tmp_path, "barcodes import", "barcode,sku\nX-1,B\n", "--yes")
    first = json.loads(holdfast("undo", "--list", "--json", cwd=tmp_path).stdout)[1]["import"]

    said = undone(tmp_path, first, code=1)

    assert "X-1: it was changed since, and stays as it is" in said
    assert "1 unit of B" in holdfast("barcodes", "scan", "X-1", cwd=tmp_path).stdout
    assert holdfast("barcodes", "scan", "X-2", cwd=tmp_path).returncode == 1


async def test_a_list_that_was_interrupted_is_taken_back_as_far_as_it_came(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "barcodes import", "barcode,sku\nX-1,A\n")
    target, store = Target(opened, "default"), ImportStore(opened.client, KEYSPACE)
    file = BARCODES.read(b"barcode,sku\nX-1,B\nX-2,B\nX-3,B\n")
    record, _ = await _begun(store, target, file, Origin("barcodes", "rows.csv"))
    assert BARCODES.keeper is not None
    await keep_before(BARCODES.keeper, store, record, target, file)
    await put_barcodes(opened.client, KEYSPACE, [("X-1", Pack("B")), ("X-2", Pack("B"))], "local")  # and then the kill

    assert "was interrupted" in undone(tmp_path, code=1)[0]
    looked = undone(tmp_path, "--interrupted", "--dry-run")
    assert "X-1: as it was" in looked
    said = undone(tmp_path, "--interrupted")

    assert ("X-1: as it was" in said, "X-2: taken away again" in said) == (True, True)
    assert any("2 changes: 2 taken back, 0 not" in line for line in said)
    assert await find_barcodes(opened.client, KEYSPACE, ["X-1", "X-2", "X-3"]) == {"X-1": Pack("A")}


async def test_the_journal_has_that_barcodes_were_taken_back(opened: OpenStore, tmp_path: Path) -> None:
    ran(tmp_path, "barcodes import", "barcode,sku\nX-1,A\n")
    ran(tmp_path, "barcodes import", "barcode,sku\nX-1,B\nX-2,B\n", "--yes")
    before = await ImportStore(opened.client, KEYSPACE).journal_end()

    undone(tmp_path)

    [change] = [each async for _, some in journal.read(opened.client, KEYSPACE, before, None) for each in some]
    assert (change.operation, [name for name, _ in change.notes]) == (
        "barcodes", ["barcode", "sku", "was", "now", "barcode", "was", "now"],
    )  # fmt: skip
    assert ("sku", "A") in change.notes


async def test_an_undo_says_that_expected_units_count_as_received(opened: OpenStore, tmp_path: Path) -> None:
    expected = holdfast("supply", "expect", "PO-1", "A", "8", "2030-01-15", cwd=tmp_path)
    assert expected.returncode == 0, expected.stderr
    ran(tmp_path, "move", "kind,sku,quantity,supply_id\nreceive,A,8,PO-1\n")

    said = undone(tmp_path)

    assert any("1 expected receipt is received all the same: PO-1." in line for line in said)
    assert (await levels(opened))["A"] == (10, 2)

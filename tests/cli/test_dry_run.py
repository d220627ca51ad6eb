"""Dry runs of imports: they say what the import then does, and leave every key of the store as it is."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.domain.channels import ChannelStatus, Listing
from server.domain.components import Component, known_by
from server.store.command_session import OpenStore, open_store
from server.store.keys import Keyspace
from server.store.repositories.channels import ChannelStore
from server.store.repositories.publisher import PublisherStore, Writes
from tests.conftest import RETENTION, now_ms
from tests.support.processes import holdfast

SHOP = "my-shop"
KEYSPACE = Keyspace("default")
AHEAD = "ahead_of_clock: counted_at has not come yet. Correct the clock of the device that counted"
NOTHING = "Dry run: nothing was changed."


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[OpenStore]:
    """Run the embedded store of ``tmp_path``, with some stock and a channel that was published to."""
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        said(tmp_path, "import", "sku,on_hand,safety\nTS-1,10,2\nTS-2,3,\nMUG,7,\n")
        status = ChannelStatus(publisher="here", written_ms=await now_ms(opened.client))
        writes = Writes()
        writes.set(KEYSPACE.channel_status, SHOP, msgspec.json.encode(status))
        publisher = PublisherStore(opened.client, KEYSPACE)
        await publisher.record((await publisher.acquire("test", 60_000)).token, writes)
        yield opened


def said(cwd: Path, command: str, text: str, *words: str, code: int = 0) -> list[str]:
    """Run a command with a file; return what it prints, remarks first."""
    (cwd / "rows.csv").write_text(text, "utf-8")
    ended = holdfast(*command.split(), "rows.csv", *words, cwd=cwd)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended.stderr.splitlines() + ended.stdout.splitlines()


async def everything(opened: OpenStore) -> dict[Any, Any]:
    return {key: await opened.client.dump(key) for key in await opened.client.keys("*")}


# -- stock


STOCK = """sku,on_hand,location,safety
TS-1,24,,
TS-2,3,,
MUG,7,,4
New,5,izmir,1
ts-1,1,,
TS1,1,,
MUG 2,many,,
"""


async def test_a_dry_run_says_what_the_import_then_does_and_changes_nothing(opened: OpenStore, tmp_path: Path) -> None:
    before = await everything(opened)

    dry = said(tmp_path, "import", STOCK, "--dry-run", code=1)

    assert dry == [
        "line 6: SKU ts-1 is not known; did you mean TS-1? If it is new, add --allow-similar",
        "line 8: on_hand is 'many', not a whole number of units",
        "7 rows: 5 would be set, 0 unchanged (same file imported before), 2 bad",
        "2 new, 1 raised, 0 lowered, 0 to zero, 1 changed, 1 unchanged, 2 bad.",
        "TS-1 at main: 10 → 24",
        "MUG at main: safety 0 → 4",
        "New at izmir: new, 5, safety 1",
        "TS1 at main: new, 1",
        "Warning: SKU TS1 is new, and TS-1 is known: they differ only by a dash or a blank. Check that they are two.",
        "Check: 2 SKUs are not known: New, TS1",
        "Check: 1 location is not known: izmir",
        NOTHING,
    ]
    assert await everything(opened) == before

    done = said(tmp_path, "import", STOCK, "--yes", code=1)
    assert done == [*dry[:2], "7 rows: 5 set, 0 unchanged (same file imported before), 2 bad", dry[3]]
    assert "7 rows: 0 would be set, 5 unchanged (same file imported before), 2 bad" in said(
        tmp_path, "import", STOCK, "--dry-run", code=1
    )
    assert "MUG at main: 7 → 8" in said(tmp_path, "import", "sku,on_hand\nMUG,8\n", "--dry-run")


async def test_what_the_store_would_refuse_is_bad_in_a_dry_run(opened: OpenStore, tmp_path: Path) -> None:
    said(tmp_path, "locations import", "name\nizmir\n")
    said(tmp_path, "import", "sku,on_hand,counted_at\nTS-2,3,2026-01-02T00:00:00Z\n", code=1)
    text = "sku,on_hand,location,counted_at\nTS-1,1,izmr,\nTS-2,1,,2999-01-01T00:00:00Z\nMUG,1,İzmir,\nMUG,1,izmir,\n"
    before = await everything(opened)

    dry = said(tmp_path, "import", text, "--dry-run", code=1)

    assert [line for line in dry if line.startswith("line ")] == [
        "line 2: location izmr is not known; did you mean izmir? If it is new, add --allow-similar",
        f"line 3: the ledger refused it: {AHEAD}",
        "line 4: location İzmir is not known; did you mean izmir? If it is new, add --allow-similar",
    ]
    assert "MUG at izmir: new, 1" in dry
    assert await everything(opened) == before
    assert said(tmp_path, "import", text, "--yes", code=1)[:3] == dry[:3]


@pytest.mark.usefixtures("opened")
def test_look_alikes_in_one_file_are_found_however_far_apart_they_are(tmp_path: Path) -> None:
    """Each operation is answered as if it came next, so the dry run compares the new names of a file itself."""
    many = "".join(f"S{n},1,\n" for n in range(400))
    text = f"sku,on_hand,allow_similar\nAB-1,1,\n{many}ab-1,1,\nAB1,1,\nAb-1,1,yes\n"

    dry = said(tmp_path, "import", text, "--dry-run", code=1)

    assert dry[0] == "line 403: SKU ab-1 is not known; did you mean AB-1? If it is new, add --allow-similar"
    assert "404 rows: 403 would be set, 0 unchanged (same file imported before), 1 bad" in dry
    assert [line for line in dry if line.startswith("Warning")] == [
        "Warning: SKU AB1 is new, and so is AB-1: they differ only by a dash or a blank. Check that they are two."
    ]
    assert "… and 378 more changes" in dry
    assert any(line.startswith("Check: 403 SKUs are not known: AB-1, S0, ") and line.endswith(" …") for line in dry)
    done = said(tmp_path, "import", text, "--yes", code=1)
    assert "404 rows: 403 set, 0 unchanged (same file imported before), 1 bad" in done


@pytest.mark.usefixtures("opened")
def test_names_that_are_meant_are_meant_in_a_dry_run(tmp_path: Path) -> None:
    dry = said(tmp_path, "import", "sku,on_hand,location\nts-1,1,Main\n", "--dry-run", "--new")

    assert dry[0] == "1 row: 1 would be set, 0 unchanged (same file imported before), 0 bad"
    assert [line for line in dry if line.startswith("Warning")] == []


@pytest.mark.usefixtures("opened")
def test_a_dry_run_by_an_old_name_tells_of_the_new_one(tmp_path: Path) -> None:
    assert holdfast("rename", "MUG", "CUP", cwd=tmp_path).returncode == 0

    dry = said(tmp_path, "import", "sku,on_hand\nMUG,9\n", "--dry-run")

    assert dry[2:] == ["CUP at main: 7 → 9", NOTHING]


async def test_a_dry_run_in_a_partition_that_is_not_there_makes_none(opened: OpenStore, tmp_path: Path) -> None:
    before = await everything(opened)

    dry = said(tmp_path, "import", "sku,on_hand\nTS-1,9\n", "--dry-run", "--partition", "defualt")

    assert "TS-1 at main: new, 9" in dry
    assert await everything(opened) == before


def test_a_dry_run_before_there_is_any_store_makes_none(tmp_path: Path) -> None:
    dry = said(tmp_path, "import", "sku,on_hand\nA-1,1\na-1,2\nA1,3\n", "--dry-run", code=1)

    assert "3 rows: 2 would be set, 0 unchanged (same file imported before), 1 bad" in dry
    assert "A-1 at main: new, 1" in dry
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


# -- listings


LISTINGS = """sku,key,listed,price,factor,components
TS-1,868-2,,,,
TS-2,868-1,,,,
MUG,m,no,,,
TS1,t,,9.90,,
,set,,,,2*MUG | ts-2
CUP,8681,,,,
SPOON,,,,,
"""


async def test_a_dry_run_of_listings_tells_of_the_end_of_the_file(opened: OpenStore, tmp_path: Path) -> None:
    command = f"channels listings {SHOP}"
    said(tmp_path, command, "sku,key\nTS-1,868-1\nTS-2,868-2\nMUG,m\n")
    before = await everything(opened)

    dry = said(tmp_path, command, LISTINGS, "--dry-run", code=1)

    check = "Check that they are two."
    assert dry == [
        "line 8: key is empty",
        "7 rows: 6 would be set, 0 unchanged, 1 bad",
        "3 new, 3 changed, 0 unchanged, 1 bad.",
        "TS-1: key 868-1 → 868-2",
        "TS-2: key 868-2 → 868-1",
        "MUG: unlisted, so the channel is sent 0",
        "TS1: new, under the key t",
        "key set: new",
        "CUP: new, under the key 8681",
        f"Warning: SKU TS1 is new, and TS-1 is known: they differ only by a dash or a blank. {check}",
        f"Warning: SKU ts-2 is new, and TS-2 is known: they differ only by case or by how letters are written. {check}",
        f"Warning: key 8681 is new, and 868-1 is known: they differ only by a dash or a blank. {check}",
        "Check: 3 SKUs are not known: TS1, ts-2, CUP",
        "SKUs that the stock does not know: 3; they are shown as 0 until it does.",
        NOTHING,
    ]
    assert await everything(opened) == before
    done = said(tmp_path, command, LISTINGS, "--yes", code=1)
    assert done == [
        dry[0], "7 rows: 6 set, 0 unchanged, 1 bad", dry[2],
        "SKUs that the stock does not know: 3; they are shown as 0 until it does.",
    ]  # fmt: skip


@pytest.mark.usefixtures("opened")
def test_a_row_that_cannot_stand_is_bad_in_a_dry_run_too(tmp_path: Path) -> None:
    command = f"channels listings {SHOP}"
    said(tmp_path, command, "sku,key\nTS-1,1\n")

    dry = said(tmp_path, command, "sku,key\nTS-2,1\nMUG,m\n", "--dry-run", code=1)

    assert dry[0].startswith("line 2: TS-1 is listed under 1 already;")
    assert (dry[1], dry[3]) == ("2 rows: 1 would be set, 0 unchanged, 1 bad", "MUG: new, under the key m")
    assert said(tmp_path, command, "sku,key\nTS-2,1\nMUG,m\n", code=1)[0] == dry[0]


async def test_a_dry_run_of_listings_follows_swapped_keys_and_packs(opened: OpenStore, tmp_path: Path) -> None:
    command = f"channels listings {SHOP}"
    said(tmp_path, command, "sku,key,price\nTS-1,1,5\nTS-2,2,\nMUG,m,\n")
    text = "sku,key,price,factor\nTS-1,2,6,\nTS-2,1,,\nMUG,m,,6\n"

    dry = said(tmp_path, command, text, "--dry-run")

    assert dry == [
        "3 rows: 3 would be set, 0 unchanged, 0 bad",
        "1 new, 2 changed, 0 unchanged, 0 bad.",
        "TS-1: key 1 → 2, price 5 → 6",
        "TS-2: key 2 → 1",
        "key m: new",
        "MUG: unlisted, since its key m is a pack's then",
        NOTHING,
    ]
    channels = ChannelStore(opened.client, KEYSPACE)
    assert {each.sku: each.key async for each in channels.listings(SHOP)} == {"TS-1": "1", "TS-2": "2", "MUG": "m"}
    said(tmp_path, command, text)
    stored = {each.sku: each async for each in channels.listings(SHOP)}
    assert stored["TS-1"] == Listing("TS-1", "2", price="6")
    assert stored[known_by("m")] == Listing(known_by("m"), "m", components=[Component("MUG", 6)])
    assert not stored["MUG"].listed
    assert "3 rows: 0 would be set, 3 unchanged, 0 bad" in said(tmp_path, command, text, "--dry-run")


@pytest.mark.usefixtures("opened")
def test_a_dry_run_refuses_the_channel_that_the_import_refuses(tmp_path: Path) -> None:
    refused = said(tmp_path, "channels listings my-shops", "sku,key\nTS-1,1\n", "--dry-run", code=1)

    assert "did you mean my-shop?" in refused[0]
    assert "TS-1: new, under the key 1" in said(
        tmp_path, "channels listings my-shops", "sku,key\nTS-1,1\n", "--dry-run", "--new"
    )

"""``holdfast channels``: real commands on a real embedded store, with what a publisher would have written."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.domain.channels import ChannelStatus, DeadLetter, LastReconcile, LastTest, Listing
from server.domain.components import Component, known_by
from server.domain.intake import IntakeStatus
from server.files.file_import import ReadFile
from server.files.listings import attributes, listings_import
from server.files.reader import FileError
from server.store.command_session import OpenStore, open_store
from server.store.journal import journal
from server.store.keys import ChannelKeys, Keyspace
from server.store.repositories.channel_commands import commanded_skus
from server.store.repositories.channels import ChannelStore
from server.store.repositories.publisher import PublisherStore, Writes
from tests.conftest import RETENTION, now_ms
from tests.support.processes import END_S, holdfast, start
from tests.support.stores import start_valkey, wait_until

SHOP = "my-shop"
KEYSPACE = Keyspace("default")
ROWS = 100_000
"""Some seconds of work: long enough to be interrupted in."""


class Kept:
    """The store as the publisher of a channel leaves it."""

    def __init__(self, opened: OpenStore) -> None:
        self.opened = opened
        self.channels = ChannelStore(opened.client, KEYSPACE)

    async def status(self, channel: str = SHOP, *, age_ms: int = 0, **fields: Any) -> None:
        written_ms = await now_ms(self.opened.client) - age_ms
        status = ChannelStatus(**{"publisher": "here", "written_ms": written_ms, **fields})
        await self.write(KEYSPACE.channel_status, channel, msgspec.json.encode(status))

    async def dead_letter(self, sku: str, reason: str, channel: str = SHOP) -> None:
        letter = DeadLetter(sku, f"key of {sku}", 3, "not_found", reason, 2, 1_000, 2_000)
        await self.write(ChannelKeys(KEYSPACE, channel).dead_letters, sku, msgspec.msgpack.encode(letter))

    async def write(self, key: str, field: str, value: bytes | str) -> None:
        writes = Writes()
        writes.set(key, field, value)
        publisher = PublisherStore(self.opened.client, KEYSPACE)
        lease = await publisher.acquire("test", 60_000)
        await publisher.record(lease.token, writes)

    async def listings(self, channel: str = SHOP) -> dict[str, Listing]:
        return {listing.sku: listing async for listing in self.channels.listings(channel)}

    async def commands(self) -> list[tuple[str, str, list[str]]]:
        """What stands in the journal for the publisher: the command, the channel, the SKUs."""
        return [
            (change.operation, change.channel, commanded_skus(change))
            async for _, changes in journal.read(self.opened.client, KEYSPACE)
            for change in changes
            if change.operation.startswith("channel_")
        ]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Kept]:
    """Run the embedded store of ``tmp_path``, as a server that works there would."""
    async with open_store(
        store_url="", data_dir=tmp_path / ".holdfast", durability="fast", retention=RETENTION, create=True
    ) as opened:
        yield Kept(opened)


def shown(cwd: Path, *words: str) -> tuple[int, Any]:
    ended = holdfast("channels", "status", "--json", *words, cwd=cwd)
    return ended.returncode, msgspec.json.decode(ended.stdout)


# -- status


async def test_status_shows_how_a_channel_stands(kept: Kept, tmp_path: Path) -> None:
    await kept.status(dirty=12, oldest_unsent_s=3.25, listings=4_000, lag_p50_s=0.004, lag_p99_s=75.0)

    ended = holdfast("channels", "status", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    [row] = [line for line in ended.stdout.splitlines() if SHOP in line]
    cells = [cell.strip() for cell in row.strip().strip("│").split("│")]
    assert cells == [SHOP, "closed", "4,000", "12", "3.2 s", "never", "0", "4 ms", "1.2 min", ""]
    assert "orders do not come in" not in ended.stdout


async def test_status_shows_whether_orders_come_in_and_why_they_do_not(kept: Kept, tmp_path: Path) -> None:
    await kept.status("well", intake=IntakeStatus(lag_s=1.25))
    await kept.status("late", intake=IntakeStatus(lag_s=7_200.0, reason="HTTP 403: no right to read orders"))

    ended = holdfast("channels", "status", cwd=tmp_path)

    assert ended.returncode in (0, 2), ended.stderr  # 2: on a busy machine the status is an old one by now
    rows = [line.strip("│ ").split("│") for line in ended.stdout.splitlines() if "closed" in line]
    assert {row[0].strip(): row[-1].strip() for row in rows} == {"well": "1.2 s", "late": "2.0 h"}
    assert "late: orders do not come in: HTTP 403: no right to read orders" in ended.stdout
    assert "well: orders" not in ended.stdout


async def test_status_for_programs_shows_all_that_is_known(kept: Kept, tmp_path: Path) -> None:
    last = LastReconcile(finished_ms=86_400_000, checked=10, differed=1)
    tested = LastTest(finished_ms=86_400_000, answered=True)
    await kept.status(last_confirmed_ms=1_000, cursor="5-0", reconcile=last, test=tested)

    code, status = shown(tmp_path)

    [channel] = status["channels"]
    assert (code, status["partition"], status["publisher_missing"]) == (0, "default", False)
    assert channel["last_confirmed_at"] == "1970-01-01T00:00:01.000Z"
    assert (channel["channel"], channel["circuit"], channel["cursor"]) == (SHOP, "closed", "5-0")
    assert channel["reconcile"] == {
        "finished_at": "1970-01-02T00:00:00.000Z",
        "checked": 10,
        "differed": 1,
        "read_back": True,
    }
    assert channel["test"] == {"finished_at": "1970-01-02T00:00:00.000Z", "answered": True, "reason": ""}


async def test_status_shows_that_a_channel_is_paused(kept: Kept, tmp_path: Path) -> None:
    await kept.status(paused=True)

    ended = holdfast("channels", "status", cwd=tmp_path)

    assert "paused" in ended.stdout


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({"circuit": "open", "reason": "HTTP 500: [oops]"}, "\nmy-shop: HTTP 500: [oops]\n"),
        ({"circuit": "halted", "reason": "HTTP 410"}, "halted"),
        ({"dead_letters": 7}, "7"),
        ({"dead_letters": 3, "refused_prices": 2}, "3 (2 of"),
    ],
)
async def test_status_ends_with_1_where_a_channel_needs_somebody(
    fields: dict[str, Any], output: str, kept: Kept, tmp_path: Path
) -> None:
    await kept.status("fine")
    await kept.status(**fields)

    ended = holdfast("channels", "status", cwd=tmp_path)

    assert ended.returncode == 1
    assert output in ended.stdout


async def test_status_ends_with_2_and_says_so_where_no_process_publishes(kept: Kept, tmp_path: Path) -> None:
    await kept.status(age_ms=60_000)

    ended = holdfast("channels", "status", cwd=tmp_path)

    assert ended.returncode == 2
    assert "No publisher is running: the last one wrote at 2" in ended.stdout
    assert "closed (as of 1.0 min ago)" in ended.stdout


async def test_a_channel_that_is_no_longer_published_is_named_beside_one_that_is(kept: Kept, tmp_path: Path) -> None:
    await kept.status()
    await kept.status("old-shop", age_ms=60_000)

    ended = holdfast("channels", "status", cwd=tmp_path)

    assert ended.returncode == 2
    assert "No publisher runs for old-shop." in ended.stdout
    assert "holdfast channels remove" in ended.stdout


async def test_listings_of_a_channel_that_no_server_has_are_named_with_the_way_to_remove_them(
    kept: Kept, tmp_path: Path
) -> None:
    await kept.status()
    await kept.channels.put_listings("nosuch", [Listing("TEE", "1")], "test")

    ended = holdfast("channels", "status", cwd=tmp_path)
    removed = holdfast("channels", "remove", "nosuch", "--yes", cwd=tmp_path)

    assert ended.returncode == 0, ended.stdout
    assert "nosuch is not in the configuration of the server that publishes" in ended.stdout
    assert "holdfast channels remove nosuch" in ended.stdout
    assert removed.returncode == 0
    assert await kept.channels.channels() == [SHOP]


async def test_trouble_that_is_known_weighs_more_than_a_missing_publisher(kept: Kept, tmp_path: Path) -> None:
    await kept.status(age_ms=60_000, dead_letters=1)

    assert shown(tmp_path)[0] == 1


async def test_without_a_channel_status_is_fine_and_says_how_there_comes_to_be_one(kept: Kept, tmp_path: Path) -> None:
    ended = holdfast("channels", "status", "--partition", "other", cwd=tmp_path)

    assert ended.returncode == 0
    assert "There is no channel in partition other yet." in ended.stdout
    assert await kept.channels.channels() == []


def test_status_ends_with_2_where_the_store_cannot_be_reached(tmp_path: Path) -> None:
    ended = holdfast("channels", "status", "--store-url", f"unix://{tmp_path}/none.sock", cwd=tmp_path)

    assert ended.returncode == 2


@pytest.mark.soak
async def test_status_can_be_watched_until_it_is_interrupted(kept: Kept, tmp_path: Path) -> None:
    await kept.status()
    with start("channels", "status", "--watch", cwd=tmp_path, PYTHONUNBUFFERED="1") as watching:
        wait_until(lambda: (tmp_path / "out").read_text("utf-8").count(SHOP) >= 2, "it was shown twice")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(END_S) == 130

    assert "Traceback" not in (tmp_path / "err").read_text("utf-8")


def test_watching_is_for_people(tmp_path: Path) -> None:
    assert holdfast("channels", "status", "--watch", "--json", cwd=tmp_path).returncode == 2


# -- listings


def import_listings(cwd: Path, text: str, *words: str) -> "tuple[int, list[str], list[str]]":
    (cwd / "listings.csv").write_text(text, "utf-8")
    ended = holdfast("channels", "listings", SHOP, "listings.csv", "--new", *words, cwd=cwd)
    return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()


async def test_listings_are_taken_with_everything_that_a_row_says(kept: Kept, tmp_path: Path) -> None:
    await kept.status()
    text = (
        "sku;key;Listed;price;List Price;currency;inventoryItem\n"
        "ÇANTA/38;868;yes;129.90;159.90;TRY;gid://1\n"
        'TEE;"869;1";no;;;;\n'
    )

    code, out, err = import_listings(tmp_path, text)

    assert code == 0
    assert out[0] == "2 rows: 2 set, 0 unchanged, 0 bad"
    assert err == ["Attributes: inventoryItem"]
    assert await kept.listings() == {
        "ÇANTA/38": Listing("ÇANTA/38", "868", True, "129.90", "159.90", "TRY", {"inventoryItem": "gid://1"}),
        "TEE": Listing("TEE", "869;1", listed=False),
    }
    assert await kept.commands() == [("channel_listings", SHOP, ["ÇANTA/38", "TEE"])]


async def test_the_same_listings_again_change_nothing_and_ask_for_nothing(kept: Kept, tmp_path: Path) -> None:
    text = "sku,key\nTEE,1\nMUG,2\n"
    import_listings(tmp_path, text)

    code, out, _ = import_listings(tmp_path, text + "CAP,3\n")

    assert (code, out[0]) == (0, "3 rows: 1 set, 2 unchanged, 0 bad")
    assert [skus for _, _, skus in await kept.commands()] == [["TEE", "MUG"], ["CAP"]]


async def test_listings_of_skus_that_the_stock_does_not_know_are_taken_and_counted(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\nTEE,5\n")
    holdfast("import", "stock.csv", cwd=tmp_path)

    code, out, _ = import_listings(tmp_path, "sku,key\nTEE,1\nNEW,2\n", "--yes")

    assert code == 0
    assert out[2] == "SKUs that the stock does not know: 1; they are shown as 0 until it does."
    assert set(await kept.listings()) == {"TEE", "NEW"}


async def test_of_a_bad_row_nothing_is_written_and_its_line_is_reported(kept: Kept, tmp_path: Path) -> None:
    await kept.status()

    code, out, err = import_listings(tmp_path, "sku,key,price\nTEE,1,9.90\nMUG,,\nCAP,3,9 TL\n", "--report", "bad.csv")

    assert (code, out[0]) == (1, "3 rows: 1 set, 0 unchanged, 2 bad")
    assert err == [
        "line 3: key is empty",
        "line 4: price must be decimal text above 0 with at most 4 decimals, such as 129.90",
    ]
    assert set(await kept.listings()) == {"TEE"}
    assert "CAP,3,9 TL" in (tmp_path / "bad.csv").read_text("utf-8")


async def test_a_key_that_another_sku_has_already_is_refused(kept: Kept, tmp_path: Path) -> None:
    import_listings(tmp_path, "sku,key\nTEE,1\nMUG,2\n")

    code, out, err = import_listings(tmp_path, "sku,key\nCAP,1\n")

    assert (code, out[0]) == (1, "1 row: 0 set, 0 unchanged, 1 bad")
    assert err == ["line 2: TEE is listed under 1 already; give TEE another key, or unlist it, in the same file"]
    assert set(await kept.listings()) == {"TEE", "MUG"}


@pytest.mark.soak
async def test_two_skus_may_swap_their_keys(kept: Kept, tmp_path: Path) -> None:
    import_listings(tmp_path, "sku,key\nTEE,1\nMUG,2\n")

    import_listings(tmp_path, "sku,key\nTEE,2\nMUG,1\n")

    assert {sku: listing.key for sku, listing in (await kept.listings()).items()} == {"TEE": "2", "MUG": "1"}


@pytest.mark.soak
async def test_more_listings_than_one_write_takes_are_written_in_pieces(kept: Kept, tmp_path: Path) -> None:
    code, out, _ = import_listings(tmp_path, "sku,key\n" + "".join(f"S{n},k{n}\n" for n in range(2_500)))

    assert (code, out[0]) == (0, "2,500 rows: 2,500 set, 0 unchanged, 0 bad")
    assert len(await kept.listings()) == 2_500
    assert [len(skus) for _, _, skus in await kept.commands()] == [1_000, 1_000, 500]


async def test_a_channel_of_which_nothing_is_known_is_refused_with_the_nearest(kept: Kept, tmp_path: Path) -> None:
    await kept.status("my-shops")
    (tmp_path / "listings.csv").write_text("sku,key\nTEE,1\n")

    refused = holdfast("channels", "listings", SHOP, "listings.csv", cwd=tmp_path)

    assert refused.returncode == 1
    assert "Channel 'my-shop' is not known; did you mean my-shops? Known: my-shops. Nothing was" in refused.stderr
    assert await kept.listings() == {}
    assert holdfast("channels", "listings", "my-shops", "listings.csv", cwd=tmp_path).returncode == 0


async def test_a_file_is_judged_by_its_end(kept: Kept, tmp_path: Path) -> None:
    import_listings(tmp_path, "sku,key\nA,1\nB,2\nC,3\nD,4\n")

    code, out, err = import_listings(tmp_path, "sku,key,listed\nA,2,\nB,1,\nNEW,3,\nC,3,no\nLATE,4,\n")

    assert (code, out[0]) == (1, "5 rows: 4 set, 0 unchanged, 1 bad")
    assert err == ["line 6: D is listed under 4 already; give D another key, or unlist it, in the same file"]
    assert {sku: (each.key, each.listed) for sku, each in (await kept.listings()).items()} == {
        "A": ("2", True), "B": ("1", True), "C": ("3", False), "NEW": ("3", True), "D": ("4", True),
    }  # fmt: skip


@pytest.mark.usefixtures("kept")
async def test_a_row_that_is_refused_frees_no_key(tmp_path: Path) -> None:
    import_listings(tmp_path, "sku,key\nA,1\nB,2\nC,3\n")

    code, out, err = import_listings(tmp_path, "sku,key\nA,2\nB,3\nD,1\n")

    assert (code, out[0]) == (1, "3 rows: 0 set, 0 unchanged, 3 bad")
    assert [line.partition(" listed ")[0] for line in err] == ["line 2: B is", "line 3: C is", "line 4: A is"]


async def test_the_name_of_a_sku_that_is_listed_by_itself_is_taken_only_from_one_that_gets_another_key(
    kept: Kept, tmp_path: Path
) -> None:
    await kept.status(lists_all=True)
    (tmp_path / "stock.csv").write_text("sku,on_hand\nA,5\nB,5\n")
    holdfast("import", "stock.csv", cwd=tmp_path)

    code, _, err = import_listings(tmp_path, "sku,key\nA,B\n")
    both = import_listings(tmp_path, "sku,key\nA,B\nB,A\n")

    assert code == 1
    assert err == ["line 2: B is listed under B by itself; give B another key, or unlist it, in the same file"]
    assert (both[0], both[1][0]) == (0, "2 rows: 2 set, 0 unchanged, 0 bad")


@pytest.mark.soak
def test_an_import_of_listings_that_was_interrupted_is_finished_by_running_it_again(tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text("sku,key\n" + "".join(f"S{n},k{n}\n" for n in range(ROWS)), "utf-8")
    listings = ChannelKeys(KEYSPACE, SHOP).listings
    with start_valkey() as store:
        words = ("channels", "listings", SHOP, "many.csv", "--new", "--store-url", store.url)
        with start(*words, cwd=tmp_path) as interrupted:
            wait_until(lambda: int(store.command("HLEN", listings)) > 0, "a part is taken")
            interrupted.send_signal(signal.SIGINT)
            code = interrupted.wait(END_S)
        said = (tmp_path / "err").read_text("utf-8")
        done = int(store.command("HLEN", listings))

        again = holdfast(*words, cwd=tmp_path)

        assert code == 130
        assert "Interrupted. " in said
        assert "Run the same command again" in said
        assert again.stdout.startswith(f"{ROWS:,} rows: {ROWS - done:,} set, {done:,} unchanged, 0 bad")
        assert int(store.command("HLEN", listings)) == ROWS


async def test_a_file_sets_packs_and_bundles_and_only_what_is_new(kept: Kept, tmp_path: Path) -> None:
    import_listings(tmp_path, "sku,key\nTEE,1\nMUG,2\nCAP,7\n")
    text = "sku,key,factor,components\nTEE,3,6,\n,set,,2*TEE | MUG\nTEE,1,1,\nMUG,2,12,\n"

    code, out, err = import_listings(tmp_path, text)

    assert (code, out[0], err) == (0, "4 rows: 3 set, 1 unchanged, 0 bad", [])
    assert sorted((await kept.listings()).values(), key=lambda each: (each.key, each.sku)) == [
        Listing("TEE", "1"),
        Listing(known_by("2"), "2", components=[Component("MUG", 12)]),
        Listing("MUG", "2", listed=False),
        Listing(known_by("3"), "3", components=[Component("TEE", 6)]),
        Listing("CAP", "7"),
        Listing(known_by("set"), "set", components=[Component("TEE", 2), Component("MUG", 1)]),
    ]
    assert import_listings(tmp_path, text)[1][0] == "4 rows: 0 set, 4 unchanged, 0 bad"
    assert import_listings(tmp_path, "sku,key\nMUG,2\n")[2] == [
        "line 2: 2 is listed already, with a factor or components; send those, too, or unlist it"
    ]


@pytest.mark.usefixtures("kept")
async def test_a_file_puts_a_sku_into_a_thousand_bundles_and_refuses_those_beyond(tmp_path: Path) -> None:
    rows = "".join(f",b{n},1*TEE|MUG\n" for n in range(1_002))

    code, out, err = import_listings(tmp_path, "sku,key,components\n" + rows)

    assert (code, out[0]) == (1, "1,002 rows: 1,000 set, 0 unchanged, 2 bad")
    assert err == [f"line {n}: TEE is in 1,000 packs and bundles of this channel already" for n in (1_002, 1_003)]


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (",k,,", "sku is empty; a bundle has components in its place"),
        ("TEE,k,0,", "factor is '0', not a whole number of units from 1 to 1000000"),
        ("TEE,k,six,", "factor is 'six', not a whole number of units from 1 to 1000000"),
        ("TEE,k,-6,", "factor is '-6', not a whole number of units from 1 to 1000000"),
        ("TEE,k,,MUG", "components may not stand beside sku"),
        (",k,,0*MUG", "components has '0', not"),
        (",k,,MUG||TEE", "components is 'MUG||TEE': write them as 2*MUG | SPOON"),
        (",k,,MUG|2*MUG", "components[1].sku is there twice: MUG"),
        (",k,," + "|".join(f"S{n}" for n in range(21)), "components has 21 SKUs; a bundle has 20 at most"),
    ],
)
def test_a_pack_or_bundle_that_cannot_be_is_bad_with_the_reason(cells: str, reason: str) -> None:
    [(_, text, _)] = read_listings_file(f"sku,key,factor,components\n{cells}\n".encode()).bad

    assert text.startswith(reason)


def test_listings_can_be_taken_before_there_is_any_stock(tmp_path: Path) -> None:
    assert import_listings(tmp_path, "sku,key\nTEE,1\n")[0] == 0


def read_listings_file(content: bytes) -> ReadFile[Listing]:
    return listings_import(SHOP).read(content)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",1", "sku is empty"),
        ("TEE,", "key is empty"),
        (f"TEE,{'k' * 257}", "key must have 1 to 256 bytes in UTF-8"),
        ("T\aEE,1", "sku must not hold control characters or line breaks"),
        ("TEE,1,maybe", "listed is 'maybe', not yes or no"),
        ("TEE,1,,0", "price must be decimal text above 0"),
        ("TEE,1,,1.23456", "price must be decimal text above 0"),
        ("TEE,1,,,5", "list_price needs a price beside it"),
        ("TEE,1,,9,5", "list_price must not be below the price"),
        ("TEE,1,,9,,tl", "currency must be three capital letters"),
        (f"TEE,1,,,,,{'x' * 257}", "attributes.color must have 1 to 256 bytes in UTF-8"),
    ],
)
def test_a_listing_that_breaks_a_rule_is_bad_with_the_reason(row: str, reason: str) -> None:
    found = read_listings_file(f"sku,key,listed,price,list_price,currency,color\n{row}\n".encode())

    [(line, text, _)] = found.bad
    assert line == 2
    assert text.startswith(reason)


def test_listings_that_contradict_each_other_are_all_bad() -> None:
    found = read_listings_file(b"sku,key\nTEE,1\nMUG,2\nTEE,3\nCAP,2\nHAT,4\nHAT,4\n")

    assert [row.value.sku for row in found.rows] == ["HAT"]
    assert found.repeated == 1
    assert [(row.line, row.reason) for row in found.bad] == [
        (2, "'TEE' is on line 4 too, with another key or price"),
        (3, "the key '2' is on line 5 too, for another SKU"),
        (4, "'TEE' is on line 2 too, with another key or price"),
        (5, "the key '2' is on line 3 too, for another SKU"),
    ]


def test_a_column_that_resembles_a_known_one_stops_the_file() -> None:
    with pytest.raises(FileError, match="'lsited' is not known; did you mean listed"):
        read_listings_file(b"sku,key,lsited,size\n")


def test_a_column_of_the_merchant_s_own_becomes_an_attribute() -> None:
    found = read_listings_file(b"sku,key,size,gift\nTEE,1,M,yes\n")

    assert list(attributes(found.other_columns)) == ["Attributes: size, gift"]
    assert found.rows[0].value.attributes == {"size": "M", "gift": "yes"}


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("sku,price", "must name the columns sku and key"),
        ("sku,key,size,size", "names the column 'size' twice"),
        ("sku,key," + ",".join(f"a{n}" for n in range(33)), "names 33 columns beside sku, key"),
    ],
)
def test_a_file_of_listings_that_cannot_be_read_says_what_to_change(header: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_listings_file(header.encode() + b"\n")


# -- dead letters and reconcile


async def test_dead_letters_are_shown_with_the_channels_own_reason(kept: Kept, tmp_path: Path) -> None:
    await kept.status(dead_letters=1)
    await kept.dead_letter("TEE", "barkod bulunamadı [4711]")

    ended = holdfast("channels", "dead-letters", SHOP, cwd=tmp_path)

    assert ended.returncode == 0
    [row] = [line for line in ended.stdout.splitlines() if "TEE" in line]
    assert "barkod bulunamadı [4711]" in row
    assert "1970-01-01T00:00:02.000Z" in row
    assert await kept.commands() == []


async def test_dead_letters_for_programs(kept: Kept, tmp_path: Path) -> None:
    await kept.status()
    await kept.dead_letter("TEE", "no")

    ended = holdfast("channels", "dead-letters", SHOP, "--json", cwd=tmp_path)

    [letter] = msgspec.json.decode(ended.stdout)
    assert (letter["sku"], letter["reason"], letter["attempts"]) == ("TEE", "no", 2)
    assert letter["first_at"] == "1970-01-01T00:00:01.000Z"


async def test_another_try_of_all_dead_letters_is_asked_for_once(kept: Kept, tmp_path: Path) -> None:
    await kept.status()
    await kept.dead_letter("TEE", "no")
    await kept.dead_letter("MUG", "no")

    ended = holdfast("channels", "dead-letters", SHOP, "--retry", cwd=tmp_path)

    assert (ended.returncode, ended.stderr) == (0, "2 dead letters will be sent again.\n")
    assert await kept.commands() == [("channel_retry", SHOP, [])]


async def test_another_try_of_some_names_those_that_are_there_and_reports_those_that_are_not(
    kept: Kept, tmp_path: Path
) -> None:
    await kept.status()
    await kept.dead_letter("TEE", "no")
    await kept.dead_letter("MUG", "no")

    ended = holdfast("channels", "dead-letters", SHOP, "--retry", "--sku", "MUG", "--sku", "CAP", cwd=tmp_path)

    assert ended.returncode == 1
    assert "There is no dead letter of CAP" in ended.stderr
    assert await kept.commands() == [("channel_retry", SHOP, ["MUG"])]


async def test_where_nothing_is_dead_nothing_is_asked_for(kept: Kept, tmp_path: Path) -> None:
    await kept.status()

    ended = holdfast("channels", "dead-letters", SHOP, "--retry", cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (0, f"{SHOP} has no dead letters.\n")
    assert await kept.commands() == []


async def test_reconcile_asks_and_says_when_no_publisher_is_there_to_do_it(kept: Kept, tmp_path: Path) -> None:
    await kept.status(age_ms=60_000)

    ended = holdfast("channels", "reconcile", SHOP, cwd=tmp_path)

    assert ended.returncode == 0
    assert ended.stdout == f"Every value will be compared with {SHOP}.\n"
    assert f"No publisher runs for {SHOP} now" in ended.stderr
    assert await kept.commands() == [("channel_reconcile", SHOP, [])]


@pytest.mark.parametrize("words", [["reconcile"], ["dead-letters", "--retry"], ["remove", "--yes"]], ids="-".join)
async def test_a_channel_that_does_not_exist_is_refused_with_the_nearest(
    words: list[str], kept: Kept, tmp_path: Path
) -> None:
    await kept.status()

    ended = holdfast("channels", *words, "myshop", cwd=tmp_path)

    assert ended.returncode == 1
    assert "'myshop' is not known in partition default; did you mean my-shop? Known: my-shop." in ended.stderr
    assert await kept.commands() == []


def test_a_channel_with_an_impossible_name_is_refused(tmp_path: Path) -> None:
    ended = holdfast("channels", "reconcile", "My Shop", cwd=tmp_path)

    assert ended.returncode == 2
    assert "channel 'My Shop' must be 1-64 of a-z" in ended.stderr


# -- remove


async def everything(kept: Kept, channel: str) -> None:
    await kept.status(channel, age_ms=60_000)
    await kept.dead_letter("TEE", "no", channel)
    await kept.write(KEYSPACE.channel_cursors, channel, "5-0")
    await kept.write(KEYSPACE.channel_rules, channel, "{}")
    for key in ChannelKeys(KEYSPACE, channel).all:
        await kept.write(key, "more", msgspec.msgpack.encode(None))


async def test_remove_forgets_everything_about_one_channel_only(kept: Kept, tmp_path: Path) -> None:
    await everything(kept, "old-shop")
    await everything(kept, SHOP)

    ended = holdfast("channels", "remove", "old-shop", "--yes", cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "Deleted: old-shop (2 listings, 1 shown value, 2 dead letters, 1 ticket).\n"
    assert await kept.channels.channels() == [SHOP]
    assert set(await kept.channels.cursors()) == set(await kept.channels.statuses()) == {SHOP}
    assert [key async for key in kept.opened.client.scan_iter("*old-shop*")] == []
    assert sum((await kept.channels.kept(SHOP)).values()) == 6


async def test_remove_asks_before_and_takes_no_answer_for_a_no(kept: Kept, tmp_path: Path) -> None:
    await everything(kept, "old-shop")

    ended = holdfast("channels", "remove", "old-shop", cwd=tmp_path)

    assert ended.returncode == 1
    assert "Delete all data about old-shop in partition default (2 listings," in ended.stdout
    assert await kept.channels.channels() == ["old-shop"]


async def test_a_channel_that_is_still_published_is_not_removed(kept: Kept, tmp_path: Path) -> None:
    await kept.status()

    ended = holdfast("channels", "remove", SHOP, "--yes", cwd=tmp_path)

    assert ended.returncode == 1
    assert "my-shop is still published by here" in ended.stderr
    assert "[channels.my-shop]" in ended.stderr
    assert await kept.channels.channels() == [SHOP]


# -- deleting a listing


async def test_a_listing_is_deleted_by_its_sku_and_a_bundle_by_its_key(kept: Kept, tmp_path: Path) -> None:
    bundle = Listing(known_by("set"), "set", listed=False, components=[Component("A", 2), Component("B", 1)])
    await kept.channels.put_listings(SHOP, [Listing("A", "k1"), bundle], "test")

    by_sku = holdfast("channels", "delete-listing", SHOP, "--sku", "A", cwd=tmp_path)
    by_key = holdfast("channels", "delete-listing", SHOP, "--key", "set", cwd=tmp_path)
    again = holdfast("channels", "delete-listing", SHOP, "--key", "set", cwd=tmp_path)

    assert [each.returncode for each in (by_sku, by_key, again)] == [0, 0, 0], by_key.stderr
    assert by_sku.stdout == f"The listing of A on {SHOP} is deleted.\n"
    assert by_key.stdout == f"The pack or bundle set on {SHOP} is deleted.\n"
    assert again.stdout == f"The pack or bundle set is not on {SHOP}; nothing changed.\n"
    assert await kept.listings() == {}
    assert await kept.channels.count_holding(SHOP, ["A", "B"]) == [0, 0]


async def test_deleting_a_listing_needs_one_name_and_a_known_channel(kept: Kept, tmp_path: Path) -> None:
    await kept.channels.put_listings(SHOP, [Listing("A", "k1")], "test")

    both = holdfast("channels", "delete-listing", SHOP, "--sku", "A", "--key", "k1", cwd=tmp_path)
    neither = holdfast("channels", "delete-listing", SHOP, cwd=tmp_path)
    typo = holdfast("channels", "delete-listing", "my-shpo", "--sku", "A", cwd=tmp_path)

    assert [each.returncode for each in (both, neither, typo)] == [2, 2, 1]
    assert SHOP in typo.stderr
    assert set(await kept.listings()) == {"A"}

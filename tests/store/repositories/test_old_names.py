"""Stored names that could not be stored so today are found, kept, and found again under what was meant."""

import unicodedata

import msgspec
from redis.asyncio import Redis

from server.domain.spelling import StoredNames
from server.store.connection.commands import command
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.barcodes import Pack, put_barcodes
from server.store.repositories.old_names import OldName, find_old_names, read_old_names, read_stored_names
from tests.support import operations as ops

NFC = "Şişe"
NFD = unicodedata.normalize("NFD", NFC)


async def test_given_a_store_without_a_look_at_its_names_when_read_then_that_is_said(
    client: Redis, ledger: Ledger
) -> None:
    await ops.moved(ledger, ops.meant(ops.receive("S ", 1)))

    assert await read_old_names(client, ledger.keyspace) == ([], False)
    assert await read_stored_names(client, ledger.keyspace) == StoredNames(is_complete=False)


async def test_given_old_names_when_looked_for_then_each_is_found_with_what_was_meant(
    client: Redis, ledger: Ledger
) -> None:
    for sku in ("A", "Çay Bardağı 6'lı", "#12", "S ", NFD, NFC, "T\u200b", '="00123"', "8,68001E+12"):
        await ops.moved(ledger, ops.meant(ops.receive(sku, 1)))
    await ops.moved(ledger, ops.meant(ops.receive("A", 1, " depo")))
    await ops.moved(ledger, ops.meant(ops.receive("B", 1, "store ")))
    await ops.moved(ledger, ops.meant(ops.receive("B", 1, "store")))
    await put_barcodes(client, ledger.keyspace, [("8690\u00a0", Pack("A")), ("8691", Pack("A"))], "k1")

    found = await find_old_names(client, ledger.keyspace)

    assert found == [
        OldName("barcode", "8690\u00a0", "8690", False),
        OldName("location", " depo", "depo", False),
        OldName("location", "store ", "store", True),
        OldName("sku", "8,68001E+12", "", False),
        OldName("sku", '="00123"', "00123", False),
        OldName("sku", "S ", "S", False),
        OldName("sku", NFD, NFC, True),
        OldName("sku", "T\u200b", "T", False),
    ]
    assert await read_old_names(client, ledger.keyspace) == (found, True)
    stored = await read_stored_names(client, ledger.keyspace)
    assert [stored.spelling("sku", name) for name in ("S ", "S", "T", "T\u200b", "8,68001E+12", "00123")] == [
        "S ", "S ", "T\u200b", "T\u200b", "8,68001E+12", '="00123"',
    ]  # fmt: skip
    assert [stored.spelling("sku", name) for name in (NFD, NFC, "A")] == [NFC, None, None]
    assert stored.spelling("location", "depo") == " depo"
    assert stored.spelling("sku", "depo") is None


async def test_given_more_names_than_a_slice_when_looked_for_twice_then_all_are_found_and_those_gone_are_not_kept(
    client: Redis, partition: str
) -> None:
    keys = Keyspace(partition)
    names = {f" sku {number}": msgspec.msgpack.encode(["main"]) for number in range(2_500)}
    await command(client, "HSET", keys.skus, *(text for pair in names.items() for text in pair))

    first = await find_old_names(client, keys)
    await command(client, "HDEL", keys.skus, " sku 7")
    second = await find_old_names(client, keys)

    assert {each.stored for each in first} == set(names)
    assert {each.stored for each in second} == set(names) - {" sku 7"}
    assert await read_old_names(client, keys) == (second, True)


async def test_given_two_old_spellings_of_one_name_when_asked_for_it_then_one_is_found_and_each_under_its_own(
    client: Redis, ledger: Ledger
) -> None:
    for sku in (" S", "S "):
        await ops.moved(ledger, ops.meant(ops.receive(sku, 1)))

    await find_old_names(client, ledger.keyspace)

    stored = await read_stored_names(client, ledger.keyspace)
    assert [stored.spelling("sku", name) for name in ("S", " S", "S ")] == [" S", " S", "S "]

"""Names in files and commands are what people meant, as over HTTP; names of an older release stay reachable."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from server.store.embedded.files import DataDirectory
from server.store.keys import Keyspace
from tests.support.processes import Server, holdfast

NFC = "Şişe"
NFD = unicodedata.normalize("NFD", NFC)


def ran(shop: Path, *words: str, code: int = 0) -> Any:
    ended = holdfast(*words, cwd=shop)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    return ended


def imported(shop: Path, rows: str, code: int = 0) -> Any:
    (shop / "stock.csv").write_text("sku,on_hand,location\n" + rows, encoding="utf-8")
    return ran(shop, "import", "stock.csv", code=code)


def on_hand(shop: Path, sku: str) -> dict[str, int]:
    shown = json.loads(ran(shop, "show", sku, "--json").stdout)
    return {each["location"]: each["on_hand"] for each in shown["levels"]}


def test_given_spellings_in_a_file_when_imported_then_each_name_is_one_thing(shop: Path) -> None:
    imported(shop, f"{NFD},3,depo\n\u00a0A ,4, depo\u3000\n")

    assert on_hand(shop, NFC) == on_hand(shop, f" {NFD} ") == {"depo": 3}
    assert on_hand(shop, "A") == {"depo": 4}


def test_given_what_a_spreadsheet_made_when_imported_then_only_those_rows_are_bad_and_the_mend_is_said(
    shop: Path,
) -> None:
    rows = '8680012345678.0,1,main\n"8,68001E+12",1,main\n"=""00123""",1,main\nT\ufeff1,1,main\nGood,1,main\n'

    ended = imported(shop, rows, code=1)

    said = ended.stdout + ended.stderr
    assert "5 rows: 1 set" in ended.stdout
    for mend in ("send 8680012345678", "enter it again, with all its digits", "between the quotation marks", "U+FEFF"):
        assert mend in said, said
    assert "--as-written" not in said, "none of them can be meant"
    assert on_hand(shop, "Good") == {"main": 1}


def test_given_a_file_that_begins_with_a_mark_when_imported_then_the_mark_is_no_part_of_it(shop: Path) -> None:
    (shop / "stock.csv").write_bytes("\ufeffsku,on_hand\nA,1\n".encode())

    ran(shop, "import", "stock.csv")

    assert on_hand(shop, "A") == {"main": 1}


@pytest.mark.parametrize("name", ["T\u200b1", "8,68001E+12", '="00123"'])
def test_given_what_cannot_be_a_name_when_given_to_a_command_then_it_is_refused(shop: Path, name: str) -> None:
    imported(shop, "A,5,main\n")
    for words in (
        ("show", name),
        ("allocate", name, "web", "1"),
        ("allocate", "A", name, "1"),
        ("allocate", "A", "web", "1", "--location", name),
        ("rules", "replenishment", "--sku", name, "--target", "1"),
        ("report", "sales", "--sku", name),
        ("count", "stock.csv", "--location", name),
    ):
        assert ":" in ran(shop, *words, code=2).stderr


def test_given_a_key_s_name_with_blanks_when_made_then_it_is_trimmed_and_what_is_unseen_refused(shop: Path) -> None:
    ran(shop, "keys", "new", "--scope", "read", "--name", f"  {NFD}  ")
    ran(shop, "keys", "new", "--scope", "read", "--name", "a\u202eb", code=2)

    assert [each["name"] for each in json.loads(ran(shop, "keys", "list", "--json").stdout)] == [NFC]


def test_given_names_of_an_older_release_when_imported_again_then_they_are_the_same_and_are_listed(shop: Path) -> None:
    imported(shop, "A,1,main\n")
    keys = Keyspace("default")
    with Server(cwd=shop):
        client = redis.Redis(unix_socket_path=str(DataDirectory(shop / ".holdfast").socket))
        try:
            for sku in ("T\u200b", NFD):
                client.hset(keys.skus, sku, msgspec.msgpack.encode(["main"]))
                client.hset(keys.stock, f"{sku}\0main", msgspec.msgpack.encode([5, 0, 0, 0, 0, 0, 1]))
            client.delete(keys.names)
        finally:
            client.close()

    imported(shop, f"T,7,main\n{NFD},8,main\n")

    assert on_hand(shop, "T") == on_hand(shop, "T\u200b") == {"main": 7}
    assert on_hand(shop, NFC) == on_hand(shop, NFD) == {"main": 8}
    listed = json.loads(ran(shop, "verify", "--names", "--json").stdout)
    assert listed == {
        "default": [
            {"kind": "sku", "stored": NFD, "meant": NFC, "both_stored": False},
            {"kind": "sku", "stored": "T\u200b", "meant": "T", "both_stored": False},
        ]
    }
    assert "'T\\u200b'" in ran(shop, "verify", "--names").stdout

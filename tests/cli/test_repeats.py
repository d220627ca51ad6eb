"""Files A, B, A: only a repeat of the last import of a place is a repeat, and one that was killed can be repeated."""

import json
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import holdfast, start, stop_store
from tests.support.stores import start_valkey, wait_until


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """Return a directory with a store of its own."""
    yield tmp_path
    stop_store(tmp_path / ".holdfast")


def run(shop: Path, words: str, text: str, *more: str) -> Any:
    path = shop / "file.csv"
    path.write_text(text, encoding="utf-8")
    return holdfast(*words.split(), path, *more, cwd=shop)


def on_hand(shop: Path, sku: str, location: str = "main") -> int:
    shown = json.loads(holdfast("show", sku, "--json", cwd=shop).stdout)
    return next(int(each["on_hand"]) for each in shown["levels"] if each["location"] == location)


A, B = "sku,on_hand\nX,5\nY,3\n", "sku,on_hand\nX,7\n"


def test_given_files_a_b_a_when_imported_then_the_last_one_counts_where_it_is_no_repeat(shop: Path) -> None:
    assert "2 set, 0 unchanged" in run(shop, "import", A).stdout
    assert "0 set, 2 unchanged" in run(shop, "import", A).stdout
    assert "1 set, 0 unchanged" in run(shop, "import", B).stdout
    third = run(shop, "import", A)
    assert (third.returncode, on_hand(shop, "X"), on_hand(shop, "Y")) == (0, 5, 3)
    assert "1 set, 1 unchanged" in third.stdout, "of Y the last import was this file"
    assert "0 set, 2 unchanged" in run(shop, "import", A).stdout
    assert "2 set, 0 unchanged" in run(shop, "import", A, "--again").stdout
    assert "0 set, 2 unchanged" in run(shop, "import", A).stdout, "it was the last one, however it was sent"


def test_given_counts_and_imports_in_turn_when_one_comes_again_then_it_is_no_repeat_where_the_other_was_since(
    shop: Path,
) -> None:
    run(shop, "import", A)
    assert "1 counted" in run(shop, "count", B).stdout
    assert "0 counted, 1 unchanged" in run(shop, "count", B).stdout
    assert "1 set, 1 unchanged" in run(shop, "import", A).stdout
    assert "1 counted" in run(shop, "count", B).stdout
    assert on_hand(shop, "X") == 7
    rows = "kind,sku,quantity\ncount,X,9\n"
    assert "1 done" in run(shop, "move", rows).stdout
    assert "0 done, 1 unchanged" in run(shop, "move", rows).stdout
    assert "1 counted" in run(shop, "count", B).stdout
    assert "1 done" in run(shop, "move", rows).stdout
    assert on_hand(shop, "X") == 9


def test_given_movements_behind_a_count_when_their_file_comes_again_then_they_follow_the_count(shop: Path) -> None:
    """Units that arrived arrive once. Those that come behind a count of the same place belong to it."""
    a = "kind,sku,quantity\nreceive,Z,4\ncount,X,5\nreceive,X,3\ncount,X,6\nadjust,X,-1\n"
    a = a.replace("quantity\n", "quantity,reason\n").replace("-1\n", "-1,torn\n")
    b = "kind,sku,quantity\ncount,X,9\n"
    assert "5 done" in run(shop, "move", a).stdout
    assert "0 done, 5 unchanged" in run(shop, "move", a).stdout
    assert run(shop, "move", a).stderr.strip().endswith("add --again.")
    run(shop, "move", b)
    assert "4 done, 1 unchanged" in run(shop, "move", a).stdout
    assert (on_hand(shop, "X"), on_hand(shop, "Z")) == (5, 4)
    assert "0 done, 5 unchanged" in run(shop, "move", a).stdout


@pytest.mark.parametrize(
    ("words", "a", "b", "shown"),
    [
        ("barcodes import --yes", "barcode,sku,factor\n111,X,2\n", "barcode,sku,factor\n111,Y,3\n", "barcodes"),
        ("channels listings shop --new", "sku,key\nX,K1\n", "sku,key\nX,K2\n", "channel:shop:listings"),
        ("rules categories", "sku,category\nX,shoes\n", "sku,category\nX,hats\n", "categories"),
        ("locations import", "name,priority\ndepo,5\n", "name,priority\ndepo,7\n", "locations"),
    ],
)
def test_given_other_files_a_b_a_when_imported_then_the_last_one_counts(
    shop: Path, words: str, a: str, b: str, shown: str
) -> None:
    with start_valkey() as store:
        found = []
        for text in (a, b, a, a):
            ended = run(shop, words, text, "--store-url", store.url)
            assert ended.returncode == 0, ended.stderr
            kept = dict(store.command("HGETALL", f"hf:{{default}}:{shown}"))
            found.append({name: value for name, value in kept.items() if not name.startswith(b"\0")})
    assert found[0] == found[2] == found[3] != found[1]


def test_given_a_file_that_an_earlier_release_has_imported_when_it_comes_again_then_it_is_a_repeat(
    tmp_path: Path,
) -> None:
    """It had a key for each line of a file, and none for a place."""
    digest = blake2b(A.encode(), digest_size=12).hexdigest()
    with start_valkey() as store:
        received = "kind,sku,quantity\nreceive,X,5\nreceive,Y,1\n"  # in the place of what that release has made
        assert "2 done" in run(tmp_path, "move", received, "--store-url", store.url).stdout
        store.command("HSET", "hf:{default}:idempotency", f"import:{digest}:2", "kept")
        first = run(tmp_path, "import", A, "--store-url", store.url)
        assert "1 set, 1 unchanged" in first.stdout
        assert "1 set, 0 unchanged" in run(tmp_path, "import", B, "--store-url", store.url).stdout
        assert "1 set, 1 unchanged" in run(tmp_path, "import", A, "--store-url", store.url).stdout


ROWS = 6_000


@pytest.mark.timeout(300)
def test_given_files_a_b_a_that_are_killed_on_the_way_when_run_again_then_each_is_whole(tmp_path: Path) -> None:
    texts = {
        name: "sku,on_hand\n" + "".join(f"S{number},{number % 50 + more}\n" for number in range(ROWS))
        for name, more in (("a", 1), ("b", 2))
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    with start_valkey() as store:
        entries = "hf:{default}:journal"

        def changes() -> int:
            return int(store.command("XLEN", entries))

        for name in ("a", "b", "a"):
            words = ("import", tmp_path / f"{name}.csv", "--store-url", store.url)
            before = changes()
            with start(*words, cwd=tmp_path) as killed:
                wait_until(lambda before=before: changes() > before + 4, "a part is imported")  # type: ignore[misc]
                killed.kill()
            again = holdfast(*words, cwd=tmp_path)
            assert again.returncode == 0, again.stderr
            assert f"{ROWS:,} rows: " in again.stdout
            assert "0 bad" in again.stdout
            repeat = holdfast(*words, cwd=tmp_path)
            assert f"0 set, {ROWS:,} unchanged" in repeat.stdout
            shown = json.loads(holdfast("show", "S49", "--json", "--store-url", store.url, cwd=tmp_path).stdout)
            assert shown["levels"][0]["on_hand"] == 49 + (2 if name == "b" else 1)
        assert holdfast("verify", "--store-url", store.url, cwd=tmp_path).returncode == 0

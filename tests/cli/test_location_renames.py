"""``holdfast locations rename`` and ``delete``: files, counts and rules that use the old name mean the new one."""

from pathlib import Path

from tests.support.shop_folder import file, on_hand, ran


def test_given_files_with_the_old_name_when_it_is_renamed_then_they_mean_the_new_one(shop: Path) -> None:
    stock = file(shop, "stock.csv", "sku,on_hand,location\nA,5,depo\nB,4,depo\nA,1,main\nB,1,main\n")
    counted = file(shop, "count.csv", "sku,on_hand\nA,6\n")
    ran(shop, "import", stock)

    assert "depo is Depot 1 now; the old name leads there. 2 SKUs moved." in ran(
        shop, "locations", "rename", "depo", "Depot 1"
    )

    assert on_hand(shop, "A") == {"Depot 1": 5, "main": 1}
    assert "4 unchanged" in ran(shop, "import", stock), "the same file again changes nothing"
    said = ran(shop, "count", counted, "--location", "depo", "--missing-is-none")
    assert on_hand(shop, "A") == {"Depot 1": 6, "main": 1}, said
    assert on_hand(shop, "B") == {"Depot 1": 0, "main": 1}, said
    ran(shop, "locations", "import", file(shop, "stores.csv", "name,kind\ndepo,store\n"))
    assert "0 SKUs moved" in ran(shop, "locations", "rename", "depo", "Depot 1")
    assert "keeps its name" in ran(shop, "locations", "rename", "main", "x", code=2)
    assert "clean" in ran(shop, "verify")

    assert "In the way: A has units" in ran(shop, "locations", "delete", "depo", code=1)
    ran(shop, "count", file(shop, "none.csv", "sku,on_hand\nA,0\n"), "--location", "Depot 1")
    assert "Depot 1 is deleted." in ran(shop, "locations", "delete", "depo")
    assert on_hand(shop, "A") == {"main": 1}
    assert "clean" in ran(shop, "verify")

"""Names in files and commands that are like known ones: refused with the known name, and let in with a word."""

from pathlib import Path

from tests.support.shop_folder import file, on_hand, ran


def test_given_look_alikes_in_a_file_when_imported_then_those_rows_are_bad_until_they_are_meant(shop: Path) -> None:
    ran(shop, "import", file(shop, "first.csv", "sku,on_hand\nTS-1,10\n"))
    rows = file(
        shop, "stock.csv", "sku,on_hand,location,allow_similar\nts–1,1,main,\nTS-1,1,MAİN,\nNew,1,,\nTs-1,4,,yes\n"
    )

    said = ran(shop, "import", rows, "--yes", code=1)

    assert "4 rows: 2 set" in said
    assert "SKU ts–1 is not known; did you mean TS-1? If it is new, add --allow-similar" in said
    assert "location MAİN is not known; did you mean main?" in said
    assert (on_hand(shop, "TS-1"), on_hand(shop, "Ts-1")) == ({"main": 10}, {"main": 4})
    assert "2 set, 2 unchanged" in ran(shop, "import", rows, "--new")
    assert on_hand(shop, "TS-1") == {"MAİN": 1, "main": 10}


def test_given_look_alikes_in_a_file_of_movements_when_run_again_as_meant_then_each_row_counts_once(shop: Path) -> None:
    rows = file(shop, "moves.csv", "kind,sku,quantity\nreceive,A,5\nreceive,A,2\nadjust,A,-1\n")
    ran(shop, "move", rows)
    rows = file(shop, "more.csv", "kind,sku,quantity\nreceive,A,1\nreceive,a,2\n")

    assert "SKU a is not known; did you mean A?" in ran(shop, "move", rows, code=1)
    ran(shop, "move", rows, "--allow-similar")
    ran(shop, "move", rows, "--allow-similar")

    assert (on_hand(shop, "A"), on_hand(shop, "a")) == ({"main": 7}, {"main": 2})


def test_given_registered_locations_when_another_is_counted_then_it_is_refused_and_the_nearest_is_named(
    shop: Path,
) -> None:
    places = file(shop, "places.csv", "name\nizmir\nİZMİR\n")
    assert "location İZMİR is not known; did you mean izmir?" in ran(shop, "locations", "import", places, code=1)
    rows = file(shop, "count.csv", "sku,on_hand\nA,2\n")

    said = ran(shop, "count", rows, "--location", "izmr", code=1)

    assert "location izmr is not known; did you mean izmir? If it is new, add --allow-similar" in said
    assert "0 differences" in said
    ran(shop, "count", rows, "--location", "izmir")
    ran(shop, "count", rows, "--location", "izmr", "--new")
    assert on_hand(shop, "A") == {"izmir": 2, "izmr": 2}
    ran(shop, "locations", "import", places, "--new")

"""The bench of many merchants' streams: every subscriber has its own merchant's last values in the end."""

import pytest

from bench.http import merchant_streams


def test_every_merchant_s_subscribers_have_its_last_values_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merchant_streams, "_WARM_UP_S", 1)

    found = merchant_streams.measure(4, merchants=2, changes_per_s=20, seconds=1)

    assert (found.wrong, len(found.events)) == (0, 4)
    assert found.sold.sales > found.sold.failed  # a busy machine refuses some, which are no changes
    assert min(found.events) > 0
    assert found.memory_mb >= found.empty_mb > 0
    assert merchant_streams.table([found]).rows[0][0] == "4"


def test_a_neighbour_s_orders_are_timed_while_another_merchant_imports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merchant_streams, "_IMPORTED_S", 1)

    found = merchant_streams.neighbour(2, 2_000)

    assert found.rows > 0
    assert found.sold.sales == merchant_streams._NEIGHBOUR_RATE
    assert merchant_streams.neighbours_table([found]).rows[0][0] == "2"

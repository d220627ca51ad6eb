"""The suites that a kind has to pass, for the kinds of this repository and of other packages.

They need the extra ``testing``. ``conformance`` is for every kind, ``ticket_conformance`` for one whose channel answers
later, ``orders_conformance`` for one with orders, ``warehouse_conformance`` for one that tells what its channel holds.
``simulator`` and ``order_side`` are what a simulated channel is made of. ``plugin`` has the fixtures: a store, a
partition, a ledger.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"adapters.testing.{name}"
        for name in (
            "commands_conformance",
            "conformance",
            "driving",
            "engine_conformance",
            "orders_conformance",
            "seller",
            "ticket_conformance",
            "warehouse_conformance",
        )
    )
)

"""The fixtures of Holdfast's suites: a store, a partition, a ledger."""

pytest_plugins = ["adapters.testing.plugin"]

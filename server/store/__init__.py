"""The only place that knows Redis: connections, keys, scripts, the ledger, the embedded store."""

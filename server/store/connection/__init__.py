"""How the store is reached: one server, sentinels or a cluster."""

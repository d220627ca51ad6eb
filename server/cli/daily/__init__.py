"""Commands for daily work: they ask the HTTP API, on the store here or of a server elsewhere."""

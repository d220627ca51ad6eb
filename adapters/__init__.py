"""Channel adapters: one file for each kind of sales channel."""

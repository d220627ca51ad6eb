"""The documents database: what people want to know of orders. It is never on the way of a reserve."""

"""How long an order takes from a marketplace to the last other channel, by webhook and by reading."""

"""A real Vendure shop: what it is installed from, how it is started, and a hand in its own API."""

"""The real Medusa for tests: how it is installed and configured, and a hand in its own API."""

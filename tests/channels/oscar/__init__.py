"""The real Oscar for tests: how it is installed and configured, and a hand in its own pages and API."""

"""A real Tryton for tests: what is installed, how it is set up, and the hands of its people."""

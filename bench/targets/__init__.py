"""The figures to reach, in one table from one command: ``python -m bench.targets``."""

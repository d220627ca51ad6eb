"""The commands of ``holdfast``, one module for each; ``server/cli.py`` puts them together."""

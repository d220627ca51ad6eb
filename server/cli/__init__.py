"""The commands of ``holdfast``, one module for each; ``server/cli/main.py`` lists them."""

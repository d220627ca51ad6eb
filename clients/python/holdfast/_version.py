"""The version: that of the API for which the types were written."""

__version__ = "0.2.0.dev0"

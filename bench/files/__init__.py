"""Imports of files: what their preview costs."""

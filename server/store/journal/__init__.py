"""The stream of every change: reading, following and replaying it."""

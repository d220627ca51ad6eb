"""Backups: a consistent copy of the store and of the documents, as files that any store of ours can be filled from."""

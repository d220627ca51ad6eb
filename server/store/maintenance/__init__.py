"""The regular maintenance of a store, and the watch over its health."""

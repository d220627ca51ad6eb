"""The figures of the README: HTTP, the scripts inside the store, memory, and how late a hold ends."""

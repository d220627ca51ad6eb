"""Change streams beside HTTP: what they are sent, in whose turn, and whose places they take."""

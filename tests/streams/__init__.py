"""Change streams, beside HTTP."""

"""A whole store is counted from a CSV file while orders run, with real processes for all that takes part."""

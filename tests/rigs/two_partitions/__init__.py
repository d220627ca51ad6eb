"""Random operations of every kind by 32 callers of two partitions, under faults, against books of their own."""

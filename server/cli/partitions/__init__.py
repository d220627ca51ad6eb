"""``holdfast partitions``: the merchants of a store, one by one."""

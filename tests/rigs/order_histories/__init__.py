"""Random histories of orders: snapshots that are doubled, late, reordered and in parts, a desk that acts, kills."""

"""What the store itself does: reserves, sourcing, memory, replication."""

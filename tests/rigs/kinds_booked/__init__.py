"""Random histories of every kind that sells: whatever its channel does and tells, stock ends as the channel has it."""

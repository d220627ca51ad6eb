"""``holdfast demo`` and the sample catalogue."""

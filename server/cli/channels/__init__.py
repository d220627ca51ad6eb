"""``holdfast channels``: what each channel is told, and what becomes of it."""

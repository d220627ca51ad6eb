"""``holdfast channels``: show and manage the sales channels."""

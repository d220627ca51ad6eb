"""Copies in this process: of the stock, for those who allow an age, and of the journal's newest entries."""

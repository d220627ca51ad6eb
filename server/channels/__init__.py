"""The fan-out: every change of stock reaches every channel, newest value wins."""

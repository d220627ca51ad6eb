"""The commands around a file: options, progress, summary, and the rows that were refused."""

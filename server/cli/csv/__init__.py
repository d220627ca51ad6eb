"""CSV files as merchants have them: reading, checking, sending, and the rows that were refused."""

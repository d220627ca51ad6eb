"""From the journal to what each channel shows."""

"""Orders of the channels come in, and what is said about them goes back."""

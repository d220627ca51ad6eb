"""From a sale to what the channels show."""

"""What every adapter is written against: requests and answers, limits, errors, stock, and the adapter itself."""

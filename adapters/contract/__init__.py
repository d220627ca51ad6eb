"""The contract of adapters: requests and answers, limits, errors, stock, and the adapter itself."""

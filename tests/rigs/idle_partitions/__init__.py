"""What merchants cost who do nothing: thousands of partitions with stock, each with a key, and no request."""

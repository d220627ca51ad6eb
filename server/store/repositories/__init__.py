"""What is kept in the store beside the counters, a file for each subject."""

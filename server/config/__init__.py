"""Settings and the configuration file; nothing else reads the environment."""

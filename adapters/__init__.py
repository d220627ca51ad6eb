"""Channel adapters: one file for each kind of sales channel, or a folder where one file would be long."""

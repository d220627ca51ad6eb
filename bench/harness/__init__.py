"""What every bench is built on: load, processes, stores, the machine, tables and pictures."""

"""Where every request enters: it is checked here and becomes an operation. Knows no HTTP."""

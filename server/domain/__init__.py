"""Pure words of the field: operations, outcomes, limits. No I/O and no clock."""

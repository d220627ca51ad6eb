"""Credentials that change: kept, renewed by one process at a time, and stored before they are used."""

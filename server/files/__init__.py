"""Files as merchants have them: read, checked, previewed and sent. Knows no terminal and no HTTP."""

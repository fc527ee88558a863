"""Results as files: one line per input row, in input order."""

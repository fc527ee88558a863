"""What answers are worth: checks, scores and drift. Pure functions and small accumulators, no I/O."""

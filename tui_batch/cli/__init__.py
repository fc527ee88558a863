"""The command line: a module per family of verbs. Each parses, calls a use case, and prints."""

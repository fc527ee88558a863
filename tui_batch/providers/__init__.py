"""Wire formats, the HTTP transport, known providers, keys. Knows nothing of the store or the engine."""

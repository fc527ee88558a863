"""The scheduler and everything it decides: an async context manager that knows nothing of any screen."""

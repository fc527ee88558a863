"""The six places of the app: jobs, items, errors, endpoints, GPU, log."""

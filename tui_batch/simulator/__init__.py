"""A faithful fake of the provider APIs: for tests, the demo and dry runs. It knows nothing of the rest of the program
but the domain's values and, in `transport`, the seam through which requests go."""

"""Measurements, always as ratios within one run. `python -m bench` lists them."""

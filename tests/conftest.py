"""What holds for all tests: the same examples in every run, so that a failure is never chance, and bytecode is kept."""

import os
import sys

from hypothesis import HealthCheck, settings

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# Some machines are told to write no bytecode: then each of some hundred processes would compile the whole program.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

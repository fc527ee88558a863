"""What holds for all tests: the same examples in every run, so that a failure is never chance, and bytecode is kept."""

import gc
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# Some machines are told to write no bytecode: then each of some hundred processes would compile the whole program.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_finish() -> None:
    """What was loaded by now stays to the end, and a test leaves little behind: looking through it often is dear.

    At the end pytest looks for what was not closed, as ever.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(autouse=True, scope="session")
def _no_vocabulary(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where a vocabulary lies in this machine's cache, prompts are counted and not estimated: other figures."""
    os.environ["TIKTOKEN_CACHE_DIR"] = str(tmp_path_factory.mktemp("vocabulary"))

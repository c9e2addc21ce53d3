"""What every test runs under: checked shapes, float64, explicit broadcasting, no window, fixed examples."""

import gc
import resource
import sys

import hypothesis
import jax
import jaxtyping
import matplotlib
import pytest

assert "thalweg" not in sys.modules, "thalweg was imported before its shapes could be checked"
_hook = jaxtyping.install_import_hook("thalweg", "typecheck.check")

matplotlib.use("Agg")

hypothesis.settings.register_profile("thalweg", derandomize=True, deadline=None, max_examples=25)
hypothesis.settings.load_profile("thalweg")


def pytest_collection_finish():
    """What is imported by now lives to the end: the garbage collector need not walk it again at every trace."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


@pytest.fixture(autouse=True)
def _strict_arithmetic():
    """Float64 and explicit broadcasting, in this test only: thalweg itself may change no global flag."""
    with jax.enable_x64(), jax.numpy_rank_promotion("raise"):
        yield


@pytest.fixture(autouse=True, scope="module")
def _compiled_programs_are_let_go():
    """Each shape of each test compiles a program, and all are kept: past 3 GB a worker forgets them after a module."""
    yield
    if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 3 * 1024**2:
        from thalweg.computing import parallel

        jax.clear_caches()
        # or the threads of the next training would all compile what they believe to be there
        parallel._COMPILED.clear()

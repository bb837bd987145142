"""Settings and fixtures of the tests."""

import os

# This is set before NumPy loads OpenBLAS.  The products of NumPy and SciPy are small in the tests,
# and on a busy machine two threads of theirs would wait for each other.  Thalweg's own threads are
# those that users have.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import contextlib
import signal
import tempfile
from typing import NamedTuple

try:
    import fcntl  # Windows has none
except ImportError:
    fcntl = None

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

from thalweg._core import dispatch

# A shell that starts the tests in the background lets them, and the processes that they start,
# ignore Ctrl-C; that is not what is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A file that all processes of a run share, where tests run side by side (pytest -n).
LOCK = "THALWEG_TESTS_LOCK"


def pytest_configure(config):
    if fcntl and not hasattr(config, "workerinput"):
        lock = tempfile.NamedTemporaryFile()
        config.add_cleanup(lock.close)
        os.environ[LOCK] = lock.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """A test that looks at the clock has the machine alone; all others share it."""
    with contextlib.ExitStack() as stack:
        if fcntl and hasattr(item.config, "workerinput"):
            lock = stack.enter_context(open(os.environ[LOCK], "rb"))
            clock = item.get_closest_marker("clock")
            fcntl.flock(lock, fcntl.LOCK_EX if clock else fcntl.LOCK_SH)
        return (yield)


# The fixture `isa` is set up once for all examples of a test, as it should be.
settings.register_profile(
    "thalweg", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# For tests/mutants: every run has the same examples, and none is remembered from another mutant.
settings.register_profile(
    "mutants",
    settings.get_profile("thalweg"),
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.load_profile("thalweg")


@pytest.fixture(params=dispatch.variants())
def isa(request):
    """Run the test with every instruction set this processor has; gives its name."""
    before = dispatch.active_variant()
    dispatch.select_variant(request.param)
    yield request.param
    dispatch.select_variant(before)


class Kernel(NamedTuple):
    """What a kernel runs with: an instruction set, the type of its elements, and threads."""

    isa: str
    dtype: type
    threads: int


@pytest.fixture(params=[(t, n) for t in (np.float64, np.float32) for n in (1, 2, 5)], ids=str)
def kernel(isa, request):
    """Run the test of a kernel with every instruction set, element type and number of threads."""
    return Kernel(isa, *request.param)

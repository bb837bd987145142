"""Options and fixtures of the benchmarks.

Every case asserts its answer first and is timed then; no case asserts a time.  Numbers go to the
fixture `record` and, with ``--results FILE``, to a file that `run.py` puts beside the others.
"""

import json
import os
import sys
from pathlib import Path

import pytest

# OpenBLAS's threads wait for more work at full speed, for 2^26 cycles of the clock unless they are
# told 2^4: on the processor of the one that is timed next.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
sys.path.insert(0, str(Path(__file__).parent))  # the modules that benchmarks share

import store
from timing import Ratio

_RESULTS = pytest.StashKey[list]()


def pytest_addoption(parser):
    parser.addoption("--results", metavar="FILE", help="write the measured numbers to FILE (JSON)")


def pytest_configure(config):
    config.stash[_RESULTS] = []


@pytest.fixture
def record(request):
    """Keep a number or a Ratio: ``record(name, value, unit, at_least=..., at_most=...)``."""
    file, _, case = request.node.nodeid.partition("::")
    command = f"python -m pytest {file}::{case.partition('[')[0]}"

    def keep(name, value, unit, **target):
        spread = None
        if isinstance(value, Ratio):
            value, spread = value.median, value.quartiles
        entry = store.entry(name, value, unit, command, **target, spread=spread)
        request.config.stash[_RESULTS].append(entry)

    return keep


def pytest_sessionfinish(session):
    file = session.config.getoption("--results")
    if file:
        Path(file).write_text(json.dumps(session.config.stash[_RESULTS]))


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[_RESULTS]:
        terminalreporter.section("measured")
        terminalreporter.line(store.table(config.stash[_RESULTS]))

"""Ctrl-C stops every kernel within 0.2 s, whatever the size, and leaves what its page says."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from interrupted_kernels import CASES, PROMISE

pytestmark = pytest.mark.clock

PROGRAM = Path(__file__).with_name("interrupted_kernels.py")


@pytest.fixture(scope="module")
def answer():
    """Ask the program about a case; one process answers all, unless one of them ends it."""
    running = []

    def ask(case):
        if not running or running[-1].poll() is not None:
            pipe = subprocess.PIPE
            command = [sys.executable, PROGRAM]
            running.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
        process = running[-1]
        too_long = threading.Timer(120, process.kill)
        too_long.start()
        process.stdin.write(case + "\n")
        process.stdin.flush()
        told = process.stdout.readline()
        too_long.cancel()
        return told or f"the program ended with {process.wait()}"

    yield ask
    for process in running:
        process.communicate()


@pytest.mark.parametrize("case", CASES)
def test_sigint_stops_a_kernel_at_once(case, answer):
    assert float(answer(case)) <= PROMISE

"""Ctrl-C stops every kernel within 0.2 s, whatever the size, and leaves what its page says."""

import subprocess
import sys
from pathlib import Path

import pytest
from interrupted_kernels import CASES, PROMISE

pytestmark = pytest.mark.clock

PROGRAM = Path(__file__).with_name("interrupted_kernels.py")


@pytest.mark.parametrize("case", CASES)
def test_sigint_stops_a_kernel_at_once(case):
    done = subprocess.run(
        [sys.executable, PROGRAM, case], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) <= PROMISE, done.stdout

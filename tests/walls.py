"""Arrays that end at a wall: what a kernel reads or writes beyond them ends the process.

The sanitizers see less of memory that is NumPy's, and the users' builds have none.
"""

import ctypes
import mmap
import sys

import numpy as np
import pytest

PAGE = mmap.PAGESIZE


def before_a_wall(shape, dtype=np.float64):
    """Return an array of zeros whose last element is the last before memory nobody may touch.

    Skips the test where no such wall can be built.
    """
    if sys.platform != "linux":
        pytest.skip("walls are built by Linux")
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    pages = -(-size // PAGE)
    memory = mmap.mmap(-1, (pages + 1) * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))  # keeps the memory for good
    libc = ctypes.CDLL(None, use_errno=True)
    wall = ctypes.c_void_p(start + pages * PAGE)
    assert libc.mprotect(wall, ctypes.c_size_t(PAGE), 0) == 0
    array = np.frombuffer(memory, np.uint8, size, pages * PAGE - size)
    return array.view(dtype).reshape(shape)

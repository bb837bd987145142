"""Coordinate-descent sweeps: pointers in, GIL out."""
from thalweg._core cimport thalweg_h as c
from thalweg._core.engine cimport active


def variant():
    """Return the instruction set in use."""
    cdef const c.tw_kernels *kernels = active(0)
    return kernels.name.decode()

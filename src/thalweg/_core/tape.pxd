"""Tapes, for the modules that run them."""
from libc.stdint cimport int32_t

from thalweg._core cimport thalweg_h as c

cdef int refuse_giant(const c.tw_tape *t, Py_ssize_t n_points) except -1


cdef class Tape:
    cdef c.tw_tape tape
    cdef c.tw_instruction *code
    cdef double *constants
    cdef int32_t *indices
    cdef object curves  # a Curves, or None
    cdef readonly tuple free_theta

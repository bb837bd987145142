"""What the other modules need of the one that links the C library."""
from libc.stdint cimport int32_t

from thalweg._core cimport thalweg_h as c

cdef const c.tw_kernels *active(int is_float) except NULL
cdef int threads_of(int threads) noexcept nogil


cdef class Tape:
    cdef c.tw_tape tape
    cdef c.tw_instruction *code
    cdef double *constants
    cdef int32_t *indices
    cdef readonly tuple free_theta


cdef class Watch:
    cdef c.tw_watch watch
    cdef c.atomic_count done
    cdef object progress
    cdef readonly object error

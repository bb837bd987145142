"""What the other modules need of the one that links the C library."""
from thalweg._core cimport thalweg_h as c

cdef const c.tw_kernels *active(int is_float) except NULL
cdef int threads_of(int threads) except -1


cdef class Watch:
    cdef c.tw_watch watch
    cdef c.atomic_count done
    cdef object progress
    cdef readonly object error
    cdef int raise_caught(self) except -1

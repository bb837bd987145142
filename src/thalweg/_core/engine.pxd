"""What the other modules need of the one that links the C library."""
from libc.stdint cimport int32_t

from thalweg._core cimport thalweg_h as c

cdef enum:
    USUAL_VIEWS = 16  # arrays of a job beside its x

cdef const c.tw_kernels *active(int is_float) noexcept nogil
cdef int threads_of(int threads) noexcept nogil


cdef Py_ssize_t times(Py_ssize_t a, Py_ssize_t b) except -1


cdef class Memory:
    cdef void *at


cdef class Views:
    cdef Memory memory
    cdef Py_buffer *view  # [most]
    cdef Py_ssize_t n, most
    cdef void *take(self, object array, char kind, Py_ssize_t count, bint writable) except? NULL
    cdef void *take_if_given(self, object array, char kind, Py_ssize_t count) except? NULL


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

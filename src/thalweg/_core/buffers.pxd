"""Buffers and memory of the modules that hand pointers to C."""

cdef enum:
    USUAL_VIEWS = 16  # arrays of a job beside its x

cdef Py_ssize_t MOST

cdef Py_ssize_t times(Py_ssize_t a, Py_ssize_t b) except -1


cdef class Memory:
    cdef void *at


cdef class Views:
    cdef Py_buffer *view  # [most]
    cdef Py_ssize_t n, most
    cdef void *take(self, object array, char kind, Py_ssize_t count, bint writable) except? NULL
    cdef void *take_if_given(self, object array, char kind, Py_ssize_t count) except? NULL

"""Buffers and memory of the modules that hand pointers to C."""
from libc.string cimport strchr

cdef enum:
    FEW_VIEWS = 4  # of a small call: room that needs no allocation
    USUAL_VIEWS = 17  # arrays of a job beside its x, if it has all of them

cdef Py_ssize_t MOST

cdef Py_ssize_t times(Py_ssize_t a, Py_ssize_t b) except -1
cdef void *workspace(size_t size) except NULL


cdef inline bint has_format(const Py_buffer *view, const char *kinds) noexcept:
    """Whether the elements have one of the struct formats in ``kinds``, each a single letter.

    Elements that are not aligned, or not of this machine's byte order, have a sign in front.
    """
    cdef const char *kind = view.format
    return kind != NULL and kind[0] != 0 and kind[1] == 0 and strchr(kinds, kind[0]) != NULL


cdef inline bint whole_strides(const Py_buffer *view) noexcept:
    """Whether neighbours along every axis are whole elements apart."""
    cdef int i
    for i in range(view.ndim):
        if view.strides[i] % view.itemsize:
            return False
    return True


cdef class Memory:
    cdef void *at


cdef class Workspace:
    cdef void *at
    cdef size_t size
    cdef void *of(self, size_t size) except NULL


cdef class Views:
    cdef Py_buffer few[FEW_VIEWS]
    cdef Py_buffer *view  # [most]
    cdef Py_ssize_t n, most
    cdef Py_buffer *borrow(self, object array, int flags) except NULL
    cdef Py_buffer *elements(self, object array, const char *kinds, int flags) except NULL
    cdef Py_buffer *strided(self, object array, const char *kinds) except NULL
    cdef void *take(self, object array, char kind, Py_ssize_t count, bint writable) except? NULL
    cdef void *take_if_given(self, object array, char kind, Py_ssize_t count) except? NULL
    cdef double *doubles(self, object array, Py_ssize_t count, bint writable) except? NULL
    cdef double *doubles_if_given(self, object array, Py_ssize_t count,
                                  bint writable) except? NULL

"""Memory and the buffers of arrays, for the modules that hand pointers to C.

This is the only place where buffers are borrowed and given back.  Most arrays are C-contiguous, of
the element type wanted and of exactly the size wanted; of the others the borrower looks at the
strides.
"""
cimport cython
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdlib cimport calloc, free, malloc

cdef Py_ssize_t MOST = <Py_ssize_t> (~<size_t> 0 >> 1)  # bytes that there can be


cdef class Memory:
    """Zeroed memory for ``count`` things of ``size`` bytes, as long as this object lives."""

    def __cinit__(self, size_t count, size_t size):
        self.at = calloc(count + 1, size)
        if self.at == NULL:
            raise MemoryError(f"{count * size} bytes are more than there are")

    def __dealloc__(self):
        free(self.at)


cdef void *workspace(size_t size) except NULL:
    """Memory for one call of a kernel, which the caller frees."""
    cdef void *work = malloc(size if size else 1)
    if work == NULL:
        raise MemoryError(f"a workspace of {size} bytes is more than there is")
    return work


cdef Py_ssize_t times(Py_ssize_t a, Py_ssize_t b) except -1:
    """a b, the number of elements of an array, which a lying caller could let overflow."""
    if a < 0 or b < 0 or (b and a > MOST // b):
        raise ValueError(f"there is no array of {a} times {b} elements")
    return a * b


@cython.freelist(8)
cdef class Views:
    """Room for ``most`` buffers, each borrowed until this object goes."""

    def __cinit__(self, Py_ssize_t most=FEW_VIEWS):
        self.most, self.view = most, self.few
        if most > FEW_VIEWS:
            self.view = <Py_buffer *> calloc(most, sizeof(Py_buffer))
            if self.view == NULL:
                raise MemoryError

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.n):
            PyBuffer_Release(&self.view[i])
        if self.view != self.few:
            free(self.view)

    cdef Py_buffer *borrow(self, object array, int flags) except NULL:
        """The buffer of an array of any elements."""
        if array is None:
            raise TypeError("an array is needed, got None")
        if self.n == self.most:
            raise ValueError("too many arrays")
        cdef Py_buffer *view = &self.view[self.n]
        PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT)
        self.n += 1
        return view

    cdef Py_buffer *elements(self, object array, const char *kinds, int flags) except NULL:
        """The buffer of an array whose elements have one of the struct formats in ``kinds``."""
        cdef Py_buffer *view = self.borrow(array, flags)
        if not has_format(view, kinds):
            wanted = " or ".join(map(repr, kinds.decode()))
            raise TypeError(f"an array of format {wanted} is needed, got {view.format!r}")
        return view

    cdef Py_buffer *strided(self, object array, const char *kinds) except NULL:
        """The same, where neighbours along every axis must be whole elements apart."""
        cdef Py_buffer *view = self.elements(array, kinds, PyBUF_STRIDES)
        if not whole_strides(view):
            raise ValueError("strides must be whole elements")
        return view

    cdef void *take(self, object array, char kind, Py_ssize_t count, bint writable) except? NULL:
        """The address of exactly ``count`` contiguous elements of struct format ``kind``."""
        cdef char[2] kinds = [kind, 0]
        cdef int access = PyBUF_WRITABLE if writable else 0
        cdef Py_buffer *view = self.elements(array, kinds, PyBUF_C_CONTIGUOUS | access)
        if view.len != times(count, view.itemsize):
            raise ValueError(f"an array of {count} elements is needed, got {view.len} bytes")
        return view.buf

    cdef void *take_if_given(self, object array, char kind, Py_ssize_t count) except? NULL:
        """The same for what is only read and may be None: then NULL."""
        return NULL if array is None else self.take(array, kind, count, False)

    cdef double *doubles(self, object array, Py_ssize_t count, bint writable) except? NULL:
        """The address of exactly ``count`` contiguous doubles."""
        return <double *> self.take(array, c"d", count, writable)

    cdef double *doubles_if_given(self, object array, Py_ssize_t count,
                                  bint writable) except? NULL:
        """The same for what may be None: then NULL."""
        return NULL if array is None else self.doubles(array, count, writable)

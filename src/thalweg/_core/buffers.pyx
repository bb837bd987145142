"""Memory and the buffers of arrays, for the modules that hand pointers to C.

This is the only place where buffers are borrowed and given back.  Most arrays must be C-contiguous,
and of exactly the element type and size that a kernel wants; where an array may have other strides,
the borrower checks them.
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

cdef Py_ssize_t MOST = <Py_ssize_t> (~<size_t> 0 >> 1)  # the most bytes that one array can have


cdef class Memory:
    """Zeroed memory for ``count`` elements of ``size`` bytes; it lives as long as this object."""

    def __cinit__(self, size_t count, size_t size):
        self.at = calloc(count + 1, size)
        if self.at == NULL:
            raise MemoryError(f"there is no memory for {count} elements of {size} bytes")

    def __dealloc__(self):
        free(self.at)


cdef void *workspace(size_t size) except NULL:
    """Memory for one call of a kernel, which the caller frees."""
    cdef void *work = malloc(size if size else 1)
    if work == NULL:
        raise MemoryError(f"there is no memory for a workspace of {size} bytes")
    return work


cdef class Workspace:
    """Memory that kernels work in, not zeroed; kept between calls, replaced if one needs more."""

    cdef void *of(self, size_t size) except NULL:
        if size > self.size:
            free(self.at)
            self.at, self.size = NULL, 0
            self.at = workspace(size)
            self.size = size
        return self.at

    def __dealloc__(self):
        free(self.at)


cdef Py_ssize_t times(Py_ssize_t a, Py_ssize_t b) except -1:
    """The product a b, the number of elements of an array; ValueError where it would overflow."""
    if a < 0 or b < 0 or (b and a > MOST // b):
        raise ValueError(f"there is no array of {a} times {b} elements: negative, or too many")
    return a * b


@cython.freelist(8)
cdef class Views:
    """Up to ``most`` buffers of arrays, which are borrowed until this object is deleted."""

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
        """The buffer of an array of any element type."""
        if array is None:
            raise TypeError("an array is needed, got None")
        if self.n == self.most:
            raise ValueError(f"at most {self.most} arrays can be borrowed at a time")
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
        """The same for an array of any strides that are multiples of an element's size."""
        cdef Py_buffer *view = self.elements(array, kinds, PyBUF_STRIDES)
        if not whole_strides(view):
            raise ValueError("the strides of an array must be multiples of its element's size")
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
        """The same for an array that is only read; NULL for None."""
        return NULL if array is None else self.take(array, kind, count, False)

    cdef double *doubles(self, object array, Py_ssize_t count, bint writable) except? NULL:
        """The address of exactly ``count`` contiguous doubles."""
        return <double *> self.take(array, c"d", count, writable)

    cdef double *doubles_if_given(self, object array, Py_ssize_t count,
                                  bint writable) except? NULL:
        """The same; NULL for None."""
        return NULL if array is None else self.doubles(array, count, writable)

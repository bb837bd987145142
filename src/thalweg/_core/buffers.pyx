"""Memory and the buffers of arrays, for the modules that hand pointers to C.

Arrays are raw buffers: C-contiguous, of the element type wanted and of exactly the size wanted.
"""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdlib cimport calloc, free

cdef Py_ssize_t MOST = <Py_ssize_t> (~<size_t> 0 >> 1)  # bytes that there can be


cdef class Memory:
    """Zeroed memory for ``count`` things of ``size`` bytes, as long as this object lives."""

    def __cinit__(self, size_t count, size_t size):
        self.at = calloc(count + 1, size)
        if self.at == NULL:
            raise MemoryError(f"{count * size} bytes are more than there are")

    def __dealloc__(self):
        free(self.at)


cdef Py_ssize_t times(Py_ssize_t a, Py_ssize_t b) except -1:
    """a b, the number of elements of an array, which a lying caller could let overflow."""
    if a < 0 or b < 0 or (b and a > MOST // b):
        raise ValueError(f"there is no array of {a} times {b} elements")
    return a * b


cdef class Views:
    """Room for ``most`` buffers that stay valid as long as this object lives."""

    def __cinit__(self, Py_ssize_t most=USUAL_VIEWS):
        self.most = most
        self.view = <Py_buffer *> calloc(most + 1, sizeof(Py_buffer))
        if self.view == NULL:
            raise MemoryError

    def __dealloc__(self):
        for i in range(self.n):
            PyBuffer_Release(&self.view[i])
        free(self.view)

    cdef void *take(self, object array, char kind, Py_ssize_t count, bint writable) except? NULL:
        """Address of an array of ``count`` elements of struct-format ``kind``."""
        if array is None:
            raise TypeError(f"an array of {count} elements is needed, got None")
        if self.n == self.most:
            raise ValueError("too many arrays")
        cdef Py_buffer *view = &self.view[self.n]
        cdef int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0)
        PyObject_GetBuffer(array, view, flags)
        self.n += 1
        if view.format == NULL or view.format[0] != kind or view.format[1] != 0:
            raise TypeError(f"an array of format {chr(kind)!r} is needed, got {view.format!r}")
        if view.len != times(count, view.itemsize):
            raise ValueError(f"an array of {count} elements is needed, got {view.len} bytes")
        return view.buf

    cdef void *take_if_given(self, object array, char kind, Py_ssize_t count) except? NULL:
        """The same for what is only read and may be None: then NULL."""
        return NULL if array is None else self.take(array, kind, count, False)

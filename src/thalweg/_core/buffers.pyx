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
from libc.float cimport DBL_MAX, FLT_MAX
from libc.math cimport fabs
from libc.stdlib cimport calloc, free, malloc

from numpy import ndarray

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


# ---- rows of points ----------------------------------------------------------------------------

cdef Py_ssize_t SHORT = 1 << 20  # elements that are searched within a millisecond, deaf to Ctrl-C


def one_row(x, y, dtype):
    """Return what x and y hold if each is one row of points, of one length and of ``dtype``.

    The answer is a pair of words, "finite", "infinite" (some element is infinite, none is NaN) or
    "nan".  It is None unless both are NumPy's own arrays of one axis, short, and contiguous,
    aligned and writeable, as the compiled code takes them.
    """
    cdef Views views
    cdef Py_buffer *of_x
    cdef Py_buffer *of_y
    if type(x) is not ndarray or type(y) is not ndarray:
        return None
    if x.dtype is not dtype or y.dtype is not dtype:  # NumPy has one object for each of its types
        return None
    views = Views()
    of_x, of_y = views.borrow(x, PyBUF_STRIDES), views.borrow(y, PyBUF_STRIDES)
    if not (is_row(of_x) and is_row(of_y) and of_x.shape[0] == of_y.shape[0]):
        return None
    return content(of_x), content(of_y)


cdef bint is_row(const Py_buffer *view) noexcept:
    if view.ndim != 1 or view.readonly or view.strides[0] != view.itemsize:
        return False
    return 0 < view.shape[0] <= SHORT and has_format(view, b"df")


cdef str content(const Py_buffer *view):
    cdef const double *doubles = <const double *> view.buf
    cdef const float *floats = <const float *> view.buf
    cdef bint is_float = view.format[0] == c"f"
    cdef double most = FLT_MAX if is_float else DBL_MAX, value
    cdef Py_ssize_t i
    cdef str found = "finite"
    for i in range(view.shape[0]):
        value = floats[i] if is_float else doubles[i]
        if value != value:
            return "nan"
        if fabs(value) > most:
            found = "infinite"
    return found

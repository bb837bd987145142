"""Batched adjoint accumulation and normal equations: pointers in, GIL out.

Inputs are raw buffers with the strides their owner gave them; shapes, element types, strides and
the size of each output are checked here, which with the kernels' look at sparse indices is all that
memory safety needs.  Everything else, callers have checked.  Ctrl-C raises KeyboardInterrupt; what
outputs then hold means nothing.
"""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdlib cimport calloc, free
from libc.string cimport strchr

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport times
from thalweg._core.engine cimport Watch, active, threads_of

cdef enum:
    MAX_VIEWS = 8

NOT_FINITE = c.TW_FOUND_NOT_FINITE
BAD_INDPTR = c.TW_FOUND_BAD_INDPTR
BAD_INDEX = c.TW_FOUND_BAD_INDEX


cdef class Jacobian:
    """A ``tw_jacobian`` with the arrays it points to; see csrc/adjoint.h.

    ``J`` is an array (K, Nx, P), or ``(indptr, indices, data, P)`` for blocks in compressed rows;
    ``e`` and ``weights`` are (K, Nx) or None.  Each result is what was found, as bits.
    """

    cdef c.tw_jacobian A
    cdef bint is_float
    cdef Py_buffer view[MAX_VIEWS]
    cdef int n

    def __cinit__(self, J, e, weights, Py_ssize_t K, Py_ssize_t Nx, bint per_block):
        times(K, Nx)  # which is needed, must be a number
        self.A.K, self.A.Nx, self.A.per_block = K, Nx, per_block
        if isinstance(J, tuple):
            indptr, indices, data, P = J
            self.take_sparse(indptr, indices, data, P)
        else:
            self.take_dense(J)
        self.take_per_row(e, &self.A.e)
        self.take_per_row(weights, &self.A.weights)

    def __dealloc__(self):
        for i in range(self.n):
            PyBuffer_Release(&self.view[i])

    cdef Py_buffer *take(self, array, const char *formats, int flags) except NULL:
        """The buffer of an array of an element type in ``formats``, strides in whole elements."""
        cdef Py_buffer *view = &self.view[self.n]
        cdef int i
        if self.n == MAX_VIEWS:
            raise ValueError("too many arrays")
        PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT)
        self.n += 1
        if view.format == NULL or strchr(formats, view.format[0]) == NULL or view.format[1] != 0:
            raise TypeError(f"an array of format {formats.decode()} is needed, got {view.format}")
        for i in range(view.ndim):
            if view.strides[i] % view.itemsize:
                raise ValueError("strides must be whole elements")
        return view

    cdef double *doubles(self, array, Py_ssize_t count, int access) except NULL:
        """The address of exactly ``count`` doubles."""
        cdef Py_buffer *view = self.take(array, b"d", PyBUF_C_CONTIGUOUS | access)
        if view.len // 8 != count:
            raise ValueError(f"{count} doubles are needed, got {view.len} bytes")
        return <double *> view.buf

    cdef int take_dense(self, J) except -1:
        cdef Py_buffer *view = self.take(J, b"df", PyBUF_STRIDES)
        cdef c.tw_jacobian *A = &self.A
        if view.ndim != 3 or view.shape[0] != A.K or view.shape[1] != A.Nx:
            raise ValueError("J must have shape (K, Nx, P)")
        self.is_float = view.itemsize == 4
        A.J, A.P = view.buf, view.shape[2]
        A.J_block = view.strides[0] // view.itemsize
        A.J_row = view.strides[1] // view.itemsize
        A.J_column = view.strides[2] // view.itemsize
        if not (A.J_column == 1 or A.P <= 1 or (A.J_block if A.Nx == 1 else A.J_row) == 1):
            raise ValueError("J must be contiguous along its rows or its columns")
        return 0

    cdef int take_sparse(self, indptr, indices, data, Py_ssize_t P) except -1:
        cdef Py_buffer *value = self.take(data, b"df", PyBUF_C_CONTIGUOUS)
        cdef Py_buffer *pointer = self.take(indptr, b"ilq", PyBUF_C_CONTIGUOUS)
        cdef Py_buffer *index = self.take(indices, b"ilq", PyBUF_C_CONTIGUOUS)
        cdef c.tw_jacobian *A = &self.A
        if value.ndim != 1 or pointer.ndim != 1 or index.ndim != 1:
            raise ValueError("indptr, indices and data must have one axis")
        if pointer.shape[0] != A.K * A.Nx + 1 or index.shape[0] != value.shape[0] or P < 0:
            raise ValueError("indptr must have one element more than rows, indices as many as data")
        if index.itemsize != pointer.itemsize:
            raise TypeError("indptr and indices must be of one type")
        self.is_float = value.itemsize == 4
        A.J, A.n_stored, A.P = value.buf, value.shape[0], P
        A.indptr, A.indices, A.is_long = pointer.buf, index.buf, index.itemsize == 8
        return 0

    cdef int take_per_row(self, array, c.tw_per_row *values) except -1:
        if array is None:
            return 0
        cdef Py_buffer *view = self.take(array, b"df", PyBUF_STRIDES)
        if view.ndim != 2 or view.shape[0] != self.A.K or view.shape[1] != self.A.Nx:
            raise ValueError("e and weights must have shape (K, Nx)")
        values.at, values.is_float = view.buf, view.itemsize == 4
        values.block = view.strides[0] // view.itemsize
        values.row = view.strides[1] // view.itemsize
        return 0

    cdef int need_residual(self) except -1:
        if self.A.e.at == NULL and self.A.K * self.A.Nx > 0:
            raise ValueError("e is needed")
        return 0

    def sum(self, double scale, int threads, d):
        """Write ``scale J' W e`` into ``d``, (P,) or (K, P)."""
        cdef c.tw_jacobian *A = &self.A
        cdef const c.tw_adjoint *kernels = active(self.is_float).adjoint
        cdef int n_threads = threads_of(threads), found
        cdef double *target = self.doubles(d, times(A.P, A.K if A.per_block else 1), PyBUF_WRITABLE)
        self.need_residual()
        cdef void *work = memory(kernels.sum_work(A, n_threads))
        cdef Watch watch = Watch()
        with nogil:
            found = kernels.sum(A, scale, n_threads, &watch.watch, work, target)
        free(work)
        return found_by(watch, found)

    def jvp(self, v, int threads, y):
        """Write ``J v`` into ``y``, (K, Nx)."""
        cdef c.tw_jacobian *A = &self.A
        cdef const c.tw_adjoint *kernels = active(self.is_float).adjoint
        cdef int n_threads = threads_of(threads), found
        cdef const double *vector = self.doubles(v, A.P, 0)
        cdef double *target = self.doubles(y, A.K * A.Nx, PyBUF_WRITABLE)
        cdef Watch watch = Watch()
        with nogil:
            found = kernels.jvp(A, vector, n_threads, &watch.watch, target)
        return found_by(watch, found)

    def normal(self, int threads, JtWJ, JtWe, etWe):
        """Write the three sums, or one of each for every block."""
        cdef c.tw_jacobian *A = &self.A
        cdef const c.tw_adjoint *kernels = active(self.is_float).adjoint
        cdef int n_threads = threads_of(threads), found
        cdef Py_ssize_t n = A.K if A.per_block else 1
        times(times(16, A.P), A.P + 16)  # bytes of a padded sum, also where there is no block
        cdef double *matrix = self.doubles(JtWJ, times(n, times(A.P, A.P)), PyBUF_WRITABLE)
        cdef double *vector = self.doubles(JtWe, times(n, A.P), PyBUF_WRITABLE)
        cdef double *scalar = self.doubles(etWe, n, PyBUF_WRITABLE)
        self.need_residual()
        cdef void *work = memory(kernels.normal_work(A, n_threads))
        cdef Watch watch = Watch()
        with nogil:
            found = kernels.normal(A, n_threads, &watch.watch, work, matrix, vector, scalar)
        free(work)
        return found_by(watch, found)


cdef int found_by(Watch watch, int found) except -1:
    """What a kernel has found, unless it was interrupted."""
    if watch.error is not None:
        raise watch.error
    return found


cdef void *memory(size_t size) except NULL:
    cdef void *work = calloc(size, 1)
    if work == NULL:
        raise MemoryError(f"the sums need {size} bytes of workspace")
    return work

"""Batched adjoint accumulation and normal equations: arrays become pointers, the GIL is released.

Inputs are raw buffers, of any strides that the kernels can read.  Shapes, element types, strides
and the size of each output are checked here; that, and the kernels' check of sparse indices, is all
that memory safety needs.  Everything else has been checked by the callers.  Ctrl-C raises
KeyboardInterrupt, and leaves outputs without meaning.
"""
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_STRIDES, PyBUF_WRITABLE
from libc.stdlib cimport free
from libc.string cimport memset

from numpy import empty, ndarray

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport USUAL_VIEWS, Views, has_format, times, whole_strides, workspace
from thalweg._core.dispatch cimport Watch, active, threads_of

cdef enum:
    LONG = 1 << 20  # calls of fewer elements are over before Ctrl-C could be noticed


cdef class Jacobian:
    """A ``tw_jacobian`` with the arrays it points to; see csrc/adjoint/contract.h.

    ``J`` is an array (K, Nx, P), or ``(indptr, indices, data, P)`` for blocks in compressed rows;
    ``e`` and ``weights`` are (K, Nx) or None.  Each method returns a status, one of
    `failures.Adjoint`.
    """

    cdef c.tw_jacobian A
    cdef bint is_float
    cdef Views views

    def __cinit__(self, J, e, weights, Py_ssize_t K, Py_ssize_t Nx, bint per_block):
        times(K, Nx)  # refuses a number of rows that would overflow
        self.views = Views(USUAL_VIEWS)
        self.A.K, self.A.Nx, self.A.per_block = K, Nx, per_block
        if isinstance(J, tuple):
            indptr, indices, data, P = J
            self.take_sparse(indptr, indices, data, P)
        else:
            self.take_dense(J)
        self.take_per_row(e, &self.A.e)
        self.take_per_row(weights, &self.A.weights)

    cdef int take_dense(self, J) except -1:
        cdef Py_buffer *view = self.views.strided(J, b"df")
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
        cdef Py_buffer *value = self.views.elements(data, b"df", PyBUF_C_CONTIGUOUS)
        cdef Py_buffer *pointer = self.views.elements(indptr, b"ilq", PyBUF_C_CONTIGUOUS)
        cdef Py_buffer *index = self.views.elements(indices, b"ilq", PyBUF_C_CONTIGUOUS)
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
        cdef Py_buffer *view = self.views.strided(array, b"df")
        if view.ndim != 2 or view.shape[0] != self.A.K or view.shape[1] != self.A.Nx:
            raise ValueError("e and weights must have shape (K, Nx)")
        values.at, values.is_float = view.buf, view.itemsize == 4
        values.block = view.strides[0] // view.itemsize
        values.row = view.strides[1] // view.itemsize
        return 0

    cdef int need_residual(self) except -1:
        if self.A.e.at == NULL and self.A.K * self.A.Nx > 0:
            raise ValueError("e is needed for this sum, got None")
        return 0

    def sum(self, double scale, int threads, d):
        """Write ``scale J' W e`` into ``d``, (P,) or (K, P)."""
        cdef c.tw_jacobian *A = &self.A
        cdef double *target = self.views.doubles(d, times(A.P, A.K if A.per_block else 1), True)
        self.need_residual()
        return sum_into(A, self.is_float, scale, threads, target)

    def jvp(self, v, int threads, y):
        """Write ``J v`` into ``y``, (K, Nx)."""
        cdef c.tw_jacobian *A = &self.A
        cdef const c.tw_adjoint *kernels = active(self.is_float).adjoint
        cdef int n_threads = threads_of(threads), found
        cdef const double *vector = self.views.doubles(v, A.P, False)
        cdef double *target = self.views.doubles(y, A.K * A.Nx, True)
        cdef Watch watch = Watch()
        with nogil:
            found = kernels.jvp(A, vector, n_threads, &watch.watch, target)
        watch.raise_caught()
        return found

    def normal(self, int threads, JtWJ, JtWe, etWe):
        """Write the three sums, or one of each for every block."""
        cdef c.tw_jacobian *A = &self.A
        cdef const c.tw_adjoint *kernels = active(self.is_float).adjoint
        cdef int n_threads = threads_of(threads), found
        cdef Py_ssize_t n = A.K if A.per_block else 1
        times(times(16, A.P), A.P + 16)  # refuses a padded sum whose bytes would overflow
        cdef double *matrix = self.views.doubles(JtWJ, times(n, times(A.P, A.P)), True)
        cdef double *vector = self.views.doubles(JtWe, times(n, A.P), True)
        cdef double *scalar = self.views.doubles(etWe, n, True)
        self.need_residual()
        cdef void *work = workspace(kernels.normal_work(A, n_threads))
        cdef Watch watch = Watch()
        with nogil:
            found = kernels.normal(A, n_threads, &watch.watch, work, matrix, vector, scalar)
        free(work)
        watch.raise_caught()
        return found


# ---- the short way: plain arrays, without building a Jacobian --------------------------------


cdef Py_buffer *plain(Views views, object array) except? NULL:
    """The buffer of a plain array whose elements and strides are those of a kernel, else NULL."""
    if type(array) is not ndarray:
        return NULL
    cdef Py_buffer *view = views.borrow(array, PyBUF_STRIDES)
    return view if has_format(view, b"df") and whole_strides(view) else NULL


cdef bint is_per_row(const Py_buffer *view, const Py_buffer *J, c.tw_per_row *values) noexcept:
    """Whether an array has a number for each row of J; then ``values`` describes it."""
    cdef int i, last = J.ndim - 2
    if view.ndim != J.ndim - 1:
        return False
    for i in range(view.ndim):
        if view.shape[i] != J.shape[i]:
            return False
    values.at, values.is_float = view.buf, view.itemsize == 4
    values.row = view.strides[last] // view.itemsize
    values.block = view.strides[0] // view.itemsize if last else 0
    return True


cdef bint is_jacobian(const Py_buffer *view, c.tw_jacobian *A) noexcept:
    """Whether an array is (K, Nx, P) or (Nx, P), not empty, with rows or columns side by side."""
    cdef int last = view.ndim - 1
    if last not in (1, 2) or view.len == 0:
        return False
    A.K, A.Nx, A.P = view.shape[0] if last == 2 else 1, view.shape[last - 1], view.shape[last]
    A.J, A.J_block = view.buf, view.strides[0] // view.itemsize if last == 2 else 0
    A.J_row = view.strides[last - 1] // view.itemsize
    A.J_column = view.strides[last] // view.itemsize
    return A.J_column == 1 or A.P == 1 or (A.Nx > 1 and A.J_row == 1)


def sum_plain(J, e, weights, double scale, bint per_block, int threads):
    """Return ``scale J' W e`` of plain arrays, or None.

    None means that the caller must take the long way, which handles other arrays and says what is
    wrong.

    J is (K, Nx, P) or (Nx, P), e and weights, unless None, have its shape without P.
    """
    cdef Views views = Views()
    cdef c.tw_jacobian A
    memset(&A, 0, sizeof(A))
    cdef Py_buffer *matrix = plain(views, J)
    if matrix == NULL or not is_jacobian(matrix, &A):
        return None
    cdef Py_buffer *per_row = plain(views, e)
    if per_row == NULL or not is_per_row(per_row, matrix, &A.e):
        return None
    if weights is not None:
        per_row = plain(views, weights)
        if per_row == NULL or not is_per_row(per_row, matrix, &A.weights):
            return None
    A.per_block = per_block
    d = empty(A.P) if matrix.ndim == 2 or not per_block else empty((A.K, A.P))
    cdef Py_buffer *target = views.borrow(d, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE)
    found = sum_into(&A, matrix.itemsize == 4, scale, threads, <double *> target.buf)
    return None if found else d


cdef int sum_into(const c.tw_jacobian *A, bint is_float, double scale, int threads,
                  double *d) except -1:
    """Write the sums into ``d``; return the status."""
    cdef const c.tw_adjoint *kernels = active(is_float).adjoint
    cdef int n_threads = threads_of(threads), found
    cdef Py_ssize_t rows = times(A.K, A.Nx)
    cdef Watch watch = Watch() if A.indptr != NULL or (rows and A.P > LONG // rows) else None
    cdef c.tw_watch *look = NULL if watch is None else &watch.watch
    cdef void *work = workspace(kernels.sum_work(A, n_threads))
    with nogil:
        found = kernels.sum(A, scale, n_threads, look, work, d)
    free(work)
    if watch is not None:
        watch.raise_caught()
    return found

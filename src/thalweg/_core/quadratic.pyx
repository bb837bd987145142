"""The quadratic loss: arrays become pointers, and the GIL is released.

Buffers are checked for what memory safety needs; everything else has been checked by the callers.
Ctrl-C raises KeyboardInterrupt in calls that take long, and leaves outputs without meaning.
"""
from cpython.buffer cimport PyBUF_C_CONTIGUOUS, PyBUF_STRIDES, PyBUF_WRITABLE
from libc.math cimport isfinite
from libc.stdlib cimport free

from numpy import ndarray

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport Views, has_format, times, workspace
from thalweg._core.dispatch cimport Watch, active, threads_of

from thalweg._core.failures import Quadratic, refuse

cdef enum:
    STACK_DOUBLES = 512  # a workspace up to this size lies on the stack: small calls take 0.1 us
    LONG = 1 << 20  # calls of fewer elements, some 0.3 ms, are over before Ctrl-C could be noticed


cdef class Matrix:
    """A square matrix as the kernels see it; made by one of `full`, `packed` and `csr`."""

    cdef Views views
    cdef c.tw_square dense
    cdef c.tw_square_csr sparse
    cdef bint is_float, is_sparse
    cdef Py_ssize_t where  # a bad row, if it is sparse and has one

    cdef Views begin(self):
        if self.views is not None:
            raise TypeError("this matrix has its elements already and cannot be given others")
        self.views = Views()
        return self.views

    def _full(self, array, bint upper, bint general=False):
        """B (P, P), contiguous along the last axis: all of it if it is general, else a triangle."""
        cdef Py_buffer *view = self.begin().elements(array, b"df", PyBUF_STRIDES)
        if view.ndim != 2:
            raise ValueError(f"a matrix has two axes, got {view.ndim}")
        cdef Py_ssize_t P = view.shape[0]
        self.is_float = view.itemsize == sizeof(float)
        if view.shape[1] != P or (
            P > 1 and (view.strides[1] != view.itemsize or view.strides[0] % view.itemsize)
        ):
            raise ValueError("a square array, contiguous along the last axis, is needed")
        self.dense = c.tw_square(
            B=view.buf, P=P, row_step=view.strides[0] // view.itemsize, packed=0,
            upper=upper and not general, general=general,
        )

    def _packed(self, array, Py_ssize_t P, bint upper):
        """One triangle by rows, P (P + 1) / 2 elements."""
        cdef Py_buffer *view = self.begin().elements(array, b"df", PyBUF_C_CONTIGUOUS)
        self.is_float = view.itemsize == sizeof(float)
        if times(P, P + 1) // 2 != view.len // view.itemsize:
            raise ValueError(f"a triangle of {P} rows is needed")
        self.dense = c.tw_square(B=view.buf, P=P, row_step=0, packed=1, upper=upper, general=0)

    def _csr(self, data, index, start, Py_ssize_t P, bint upper, bint general=False):
        """B in compressed sparse rows; ValueError if a row breaks the rules of the kernel."""
        cdef Views views = self.begin()
        cdef Py_buffer *values = views.elements(data, b"df", PyBUF_C_CONTIGUOUS)
        cdef Py_buffer *columns = views.elements(index, b"ilq", PyBUF_C_CONTIGUOUS)
        cdef Py_buffer *rows = views.elements(start, b"ilq", PyBUF_C_CONTIGUOUS)
        cdef Py_ssize_t nnz = values.len // values.itemsize
        if (P < 0 or columns.itemsize != rows.itemsize or columns.len != nnz * columns.itemsize
                or rows.len // rows.itemsize - 1 != P):
            raise ValueError("the arrays of compressed sparse rows do not fit each other")
        self.is_sparse, self.is_float = True, values.itemsize == sizeof(float)
        self.sparse = c.tw_square_csr(
            data=values.buf, index=columns.buf, start=rows.buf, P=P, nnz=nnz,
            is_long=columns.itemsize == 8, upper=upper and not general, general=general,
            where=&self.where,
        )
        cdef const c.tw_quadratic *kernel = active(self.is_float).quadratic
        cdef int status
        cdef Watch watch = Watch()
        with nogil:
            status = kernel.csr_check(&self.sparse, &watch.watch)
        watch.raise_caught()
        wrong = "outside" if general else (
            "that are unsorted, repeated or outside; B.sum_duplicates() puts them in order"
        )
        refuse(Quadratic, status, where=self.where, has="has", wrong=wrong)

    def _is_symmetric(self, int threads):
        """Whether the matrix, full or sparse, is exactly its transpose."""
        cdef const c.tw_quadratic *kernel = active(self.is_float).quadratic
        cdef Py_ssize_t *next_met
        cdef int same
        cdef Watch watch = Watch()
        threads = threads_of(threads)
        if not self.is_sparse:
            with nogil:
                same = kernel.is_symmetric(&self.dense, threads, &watch.watch)
            watch.raise_caught()
            return same != 0
        next_met = <Py_ssize_t *> workspace((self.sparse.P + 1) * sizeof(Py_ssize_t))
        with nogil:
            same = kernel.csr_is_symmetric(&self.sparse, &watch.watch, next_met)
        free(next_met)
        watch.raise_caught()
        return same != 0

    @property
    def P(self):
        """Number of rows and of columns."""
        return self.sparse.P if self.is_sparse else self.dense.P


def symmetrise(full, packed, int threads=0):
    """Write the lower triangle of (B + B')/2 by rows to ``packed``, which has the type of B."""
    cdef Watch watch = Watch()
    cdef Matrix source = Matrix(), target = Matrix()
    source._full(full, False)
    target._packed(packed, source.dense.P, False)
    if source.is_float != target.is_float:
        raise TypeError("both arrays must have one type")
    cdef const c.tw_quadratic *kernel = active(source.is_float).quadratic
    threads = threads_of(threads)
    with nogil:
        kernel.symmetrise(&source.dense, threads, &watch.watch, <void *> target.dense.B)
    watch.raise_caught()


def evaluate(Matrix B not None, theta, theta_star, value, gradient, *, bint shared_star,
             bint many, int threads):
    """Write the values and, unless None, the gradients.

    Raises ValueError if a sparse B has been changed since it was checked and is no longer valid.

    One theta (P,) when ``many`` is false; else M of them, and ``value`` has M elements.
    """
    cdef const c.tw_quadratic *kernel = active(B.is_float).quadratic
    cdef Py_ssize_t P = B.P, M = len(value)
    cdef int status = c.TW_QUADRATIC_OK
    cdef Views views = Views()
    cdef Watch watch = Watch()
    cdef c.tw_quadratic_job job = c.tw_quadratic_job(
        M=M, theta=views.doubles(theta, times(M, P), False),
        theta_star=views.doubles_if_given(theta_star, P if shared_star else M * P, False),
        star_step=0 if shared_star else P, value=views.doubles(value, M, True),
        gradient=views.doubles_if_given(gradient, M * P, True),
    )
    cdef size_t size
    threads = threads_of(threads)
    if not many and M != 1:
        raise ValueError("one theta has one value")
    if B.is_sparse:
        size = kernel.csr_work(&B.sparse, &job, threads)
    elif many:
        size = kernel.many_work(&B.dense, &job, threads)
    else:
        size = kernel.one_work(&B.dense, &job)
    cdef void *work = workspace(size)
    with nogil:
        if B.is_sparse:
            status = kernel.csr(&B.sparse, &job, threads, &watch.watch, work)
        elif many:
            kernel.many(&B.dense, &job, threads, &watch.watch, work)
        else:
            kernel.one(&B.dense, &job, threads, &watch.watch, work)
    free(work)
    watch.raise_caught()
    refuse(Quadratic, status, where=B.where, has="has changed: it has",
           wrong="that are unsorted or outside")


# ---- the short way: one theta, plain arrays --------------------------------------------------

cdef bint is_square(const Py_buffer *view, int triangle, c.tw_square *B) noexcept:
    """Whether a plain array is a matrix for the kernel; a column-major one is seen transposed."""
    cdef Py_ssize_t size = view.itemsize
    if (view.ndim != 2 or view.shape[0] != view.shape[1]
            or not has_format(view, b"df")):
        return False
    cdef int last = 1 if view.strides[1] == size else 0
    if view.strides[last] != size or view.strides[1 - last] % size:
        return False
    B.B, B.P, B.row_step = view.buf, view.shape[0], view.strides[1 - last] // size
    B.packed, B.upper, B.general = 0, triangle == (2 if last else 1), triangle == 0
    return True


cdef int run_one(const c.tw_quadratic *kernel, const c.tw_square *B, c.tw_quadratic_job *job,
                 int threads) except -1:
    cdef double stack[STACK_DOUBLES]
    cdef size_t size = kernel.one_work(B, job)
    cdef void *work = <void *> stack if size <= sizeof(stack) else workspace(size)
    cdef Watch watch = Watch() if B.P > LONG // (B.P + 1) else None
    cdef c.tw_watch *look = NULL if watch is None else &watch.watch
    with nogil:
        kernel.one(B, job, threads, look, work)
    if work != <void *> stack:
        free(work)
    if watch is not None:
        watch.raise_caught()
    return 0


cdef const double *vector(Views views, object array, Py_ssize_t P, int flags) except? NULL:
    """Address of a plain array (P,) of doubles, or NULL where it is anything else."""
    if type(array) is not ndarray:
        return NULL
    cdef Py_buffer *view = views.borrow(array, flags | PyBUF_STRIDES)
    if (view.ndim != 1 or view.shape[0] != P or not has_format(view, b"d")
            or (P > 1 and view.strides[0] != sizeof(double))):
        return NULL
    return <const double *> view.buf


def short_way(B, theta, theta_star, gradient, int triangle, int threads):
    """Return the value at one theta of plain arrays, or None.

    None means that the caller must take the long way, which handles other arrays and says what is
    wrong.

    B is a `Matrix` or an array; ``triangle`` 0 reads all of it, 1 or 2 its lower or upper triangle.
    ``gradient`` is an array or None.
    """
    cdef Views views = Views()
    cdef c.tw_square plain
    cdef const c.tw_square *matrix = &plain
    cdef Py_buffer *view
    cdef bint is_float
    cdef double value = 0
    cdef c.tw_quadratic_job job
    if isinstance(B, Matrix):
        if (<Matrix> B).is_sparse or triangle or (<Matrix> B).views is None:
            return None
        matrix, is_float = &(<Matrix> B).dense, (<Matrix> B).is_float
    elif type(B) is ndarray:
        view = views.borrow(B, PyBUF_STRIDES)
        if not is_square(view, triangle, &plain):
            return None
        is_float = view.itemsize == sizeof(float)
    else:
        return None
    job.M, job.value, job.star_step, job.theta_star, job.gradient = 1, &value, 0, NULL, NULL
    job.theta = vector(views, theta, matrix.P, 0)
    if job.theta == NULL:
        return None
    if theta_star is not None:
        job.theta_star = vector(views, theta_star, matrix.P, 0)
        if job.theta_star == NULL:
            return None
    if gradient is not None:
        job.gradient = <double *> vector(views, gradient, matrix.P, PyBUF_WRITABLE)
        if job.gradient == NULL:
            return None
    run_one(active(is_float).quadratic, matrix, &job, threads_of(threads))
    return value if isfinite(value) else None

"""Linear models with penalties and bounds: pointers in, GIL out.

Arrays are raw buffers, which are checked here as far as memory safety needs it; the callers have
checked everything else.  Ctrl-C raises KeyboardInterrupt out of every call.
"""
from libc.string cimport memcpy, memset

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport USUAL_VIEWS, Views, Workspace, times
from thalweg._core.dispatch cimport Watch, active, threads_of

SMALLEST_SQUARE, LARGEST_SQUARE = c.TW_SMALLEST_SQUARE, c.TW_LARGEST_SQUARE

cdef bint IS_LONG = sizeof(Py_ssize_t) == sizeof(long)
cdef char INTP = c"l" if IS_LONG else c"q"


cdef const c.tw_linear *take_dense(A, Views views, c.tw_columns *columns) except NULL:
    """Let ``columns`` point to a matrix (n, P); return the kernels for its element type."""
    cdef Py_buffer *matrix = views.strided(A, b"df")
    cdef Py_ssize_t size = matrix.itemsize
    if matrix.ndim != 2:
        raise ValueError("A must have two dimensions")
    columns.n, columns.P, columns.A = matrix.shape[0], matrix.shape[1], matrix.buf
    columns.row_step, columns.column_step = matrix.strides[0] // size, matrix.strides[1] // size
    return active(size == sizeof(float)).linear


cdef class Columns:
    """A ``tw_columns`` with the arrays it points to; see csrc/linear/contract.h.

    ``A`` is an array (n, P) of double or float with strides of whole elements, or the tuple (shape,
    indptr, indices, values) of a sparse matrix by columns that has been checked.  ``mean`` (P,) is
    subtracted from the columns; `moments` puts that which it computes in its place.
    """

    cdef c.tw_columns columns
    cdef const c.tw_linear *kernel
    cdef bint is_float
    cdef Views views
    cdef Workspace work
    cdef int threads

    def __cinit__(self, A, weights, int threads, mean=None):
        cdef c.tw_columns *columns = &self.columns
        memset(columns, 0, sizeof(c.tw_columns))
        self.views, self.work, self.threads = Views(USUAL_VIEWS), Workspace(), threads_of(threads)
        if isinstance(A, tuple):
            self.take_sparse(A)
        else:
            self.kernel = take_dense(A, self.views, columns)
        columns.weights = self.views.doubles_if_given(weights, columns.n, False)
        columns.mean = self.views.doubles_if_given(mean, columns.P, False)

    cdef int take_sparse(self, A) except -1:
        cdef c.tw_columns *columns = &self.columns
        shape, indptr, indices, values = A
        columns.n, columns.P = shape
        columns.is_long = indices.itemsize == 8
        cdef char kind = indices.dtype.char.encode()[0]
        if indptr.dtype != indices.dtype or indices.dtype.kind != "i" or values.dtype.kind != "f":
            raise TypeError("indptr and indices must be integers of one type, values floats")
        if indices.itemsize not in (4, 8) or values.itemsize not in (4, 8):
            raise TypeError("indices and values must have 4 or 8 bytes each")
        columns.indptr = self.views.take(indptr, kind, columns.P + 1, False)
        columns.indices = self.views.take(indices, kind, len(values), False)
        columns.A = self.views.take(values, values.dtype.char.encode()[0], len(values), False)
        self.is_float = values.itemsize == sizeof(float)
        self.kernel = active(self.is_float).linear
        return 0

    cdef c.tw_chosen chosen(self, which, Views views) except *:
        return chosen_of(which, views, self.columns.P)

    def moments(self, u, mean, square, product):
        """Write means (or None), squares and products (P,); return the status and the bad column.

        All later calls subtract ``mean`` from the columns.
        """
        cdef Py_ssize_t P = self.columns.P, where = -1
        cdef int status
        cdef c.tw_moments out
        cdef Watch watch = Watch()
        cdef const double *weighted = self.views.doubles(u, self.columns.n, False)
        out.mean, out.where = self.views.doubles_if_given(mean, P, True), &where
        out.square = self.views.doubles(square, P, True)
        out.product = self.views.doubles(product, P, True)
        cdef void *work = self.work.of(self.kernel.moments_work(&self.columns, self.threads))
        with nogil:
            status = self.kernel.moments(
                &self.columns, weighted, self.threads, &watch.watch, work, &out
            )
        watch.raise_caught()
        self.columns.mean = out.mean
        return status, where

    def products(self, which, u, out):
        """Write out_k = sum_i u_i (A_ij - mean_j), j = which_k; all columns if which is None."""
        cdef Views views = Views(USUAL_VIEWS)
        cdef Watch watch = Watch()
        cdef c.tw_chosen chosen = self.chosen(which, views)
        cdef const double *weighted = views.doubles(u, self.columns.n, False)
        cdef double *sums = views.doubles(out, chosen.m, True)
        cdef void *work = self.work.of(
            self.kernel.products_work(&self.columns, &chosen, self.threads)
        )
        with nogil:
            self.kernel.products(
                &self.columns, &chosen, weighted, self.threads, &watch.watch, work, sums
            )
        watch.raise_caught()

    def move(self, which, step, r):
        """Subtract sum_k step_k (A_j - mean_j), j = which_k, from r."""
        cdef Views views = Views(USUAL_VIEWS)
        cdef Watch watch = Watch()
        cdef c.tw_chosen chosen = self.chosen(which, views)
        cdef const double *steps = views.doubles(step, chosen.m, False)
        cdef double *residual = views.doubles(r, self.columns.n, True)
        cdef void *work = self.work.of(self.kernel.move_work(&self.columns, &chosen, self.threads))
        with nogil:
            self.kernel.move(
                &self.columns, &chosen, steps, self.threads, &watch.watch, work, residual
            )
        watch.raise_caught()

    def residual(self, moved, step, which, r, out):
        """Do as ``move`` does with ``moved``, then write out_k = sum_i w_i r_i (A_ij - mean_j)."""
        cdef Views views = Views(USUAL_VIEWS)
        cdef Watch watch = Watch()
        cdef c.tw_chosen before = self.chosen(moved, views), chosen = self.chosen(which, views)
        cdef const double *steps = views.doubles(step, before.m, False)
        cdef double *left = views.doubles(r, self.columns.n, True)
        cdef double *sums = views.doubles(out, chosen.m, True)
        cdef void *work = self.work.of(
            self.kernel.residual_work(&self.columns, &before, &chosen, self.threads)
        )
        with nogil:
            self.kernel.residual(
                &self.columns, &before, steps, &chosen, self.threads, &watch.watch, work, left,
                sums,
            )
        watch.raise_caught()

    def gram(self, which, Py_ssize_t known, out, bint rough=False):
        """Write the rows and columns from ``known`` on of the Gram matrix of columns to ``out``.

        A ``rough`` one of dense columns is made in float, in half the time.
        """
        cdef Views views = Views(USUAL_VIEWS)
        cdef Watch watch = Watch()
        cdef c.tw_chosen chosen = self.chosen(which, views)
        cdef Py_ssize_t step = out.shape[1]
        cdef double *gram = <double *> views.take(out, c"d", times(len(out), step), True)
        if not 0 <= known <= chosen.m <= min(step, len(out)):
            raise ValueError("known must be at most the number of columns, and out hold them all")
        cdef void *work = self.work.of(
            self.kernel.gram_work(&self.columns, &chosen, rough, self.threads)
        )
        with nogil:
            self.kernel.gram(
                &self.columns, &chosen, known, rough, self.threads, &watch.watch, work, gram,
                step,
            )
        watch.raise_caught()


def copy_runs(source, starts, lengths, out):
    """Fill ``out`` with the runs source[start : start + length], one behind the other.

    ``source`` and ``out`` are contiguous arrays of one type, ``starts`` and ``lengths`` of intp.
    """
    cdef Views views = Views()
    cdef Py_ssize_t k, at = 0, m = len(starts), size = source.itemsize
    cdef char kind = source.dtype.char.encode()[0]
    cdef const char *data = <const char *> views.take(source, kind, len(source), False)
    cdef char *to = <char *> views.take(out, kind, len(out), True)
    cdef const Py_ssize_t *start = <const Py_ssize_t *> views.take(starts, INTP, m, False)
    cdef const Py_ssize_t *length = <const Py_ssize_t *> views.take(lengths, INTP, m, False)
    cdef Py_ssize_t stored = len(source), room = len(out)
    for k in range(m):
        if not (0 <= start[k] <= stored and 0 <= length[k] <= min(stored - start[k], room - at)):
            raise IndexError(f"run {k} is outside the arrays")
        memcpy(to + at * size, data + start[k] * size, length[k] * size)
        at += length[k]
    if at != room:
        raise ValueError(f"out has {room} elements, and the runs {at}")


cdef c.tw_coordinates coordinates(Views views, each, Py_ssize_t m) except *:
    """Return the penalties and bounds of ``each``, (l1, l2, lower, upper), arrays of m doubles."""
    l1, l2, lower, upper = each
    return c.tw_coordinates(
        l1=views.doubles(l1, m, False),
        l2=views.doubles(l2, m, False),
        lower=views.doubles(lower, m, False),
        upper=views.doubles(upper, m, False),
        relaxation=1.0,
    )


cdef c.tw_chosen chosen_of(which, Views views, Py_ssize_t P) except *:
    """Return the columns, of P, that an array of intp lists; None lists all."""
    cdef c.tw_chosen chosen
    cdef Py_ssize_t k
    chosen.column, chosen.m = NULL, P
    if which is None:
        return chosen
    chosen.m = len(which)
    chosen.column = <const Py_ssize_t *> views.take(which, INTP, chosen.m, False)
    for k in range(chosen.m):
        if not 0 <= chosen.column[k] < P:
            raise IndexError(f"there is no column {chosen.column[k]}")
    return chosen


def certificate(each, reach, square, theta, q, double rr, double error=0.0, which=None):
    """Return (penalty, scale, gap, kkt, conditional, unheld) of the coordinates ``which`` of theta.

    None lists all of theta (m,).  They hold for every q' with |q'_k - q_k| <= error sqrt(square_k).
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef Py_ssize_t m = len(theta)
    cdef c.tw_coordinates of = coordinates(views, each, m)
    cdef c.tw_chosen chosen = chosen_of(which, views, m)
    cdef c.tw_certificate found = active(0).linear.certificate(
        &chosen, &of,
        views.doubles(reach, m, False),
        views.doubles(square, m, False),
        views.doubles(theta, m, False),
        views.doubles(q, m, False), rr, error,
    )
    return (
        found.penalty, found.scale, found.gap, found.kkt, found.conditional, found.unheld,
    )


def certificates(each, reach, square, theta, q, rr, out):
    """Write what ``certificate`` says of each row of theta (M, m), but unheld, to out (M, 5).

    ``reach`` and ``q`` are (M, m), ``rr`` (M,).
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef Py_ssize_t M, m, k
    M, m = theta.shape
    cdef c.tw_coordinates of = coordinates(views, each, m)
    cdef const double *reaches = views.doubles(reach, times(M, m), False)
    cdef const double *squares = views.doubles(square, m, False)
    cdef const double *thetas = views.doubles(theta, times(M, m), False)
    cdef const double *slopes = views.doubles(q, times(M, m), False)
    cdef const double *rrs = views.doubles(rr, M, False)
    cdef double *to = views.doubles(out, times(M, 5), True)
    cdef const c.tw_linear *kernel = active(0).linear
    cdef c.tw_chosen all_of_them = chosen_of(None, views, m)
    cdef c.tw_certificate found
    for k in range(M):
        found = kernel.certificate(
            &all_of_them, &of, reaches + k * m, squares, thetas + k * m, slopes + k * m, rrs[k], 0.0
        )
        to[5 * k], to[5 * k + 1], to[5 * k + 2] = found.penalty, found.scale, found.gap
        to[5 * k + 3], to[5 * k + 4] = found.kkt, <double> found.conditional


cdef class Factor:
    """The workspace of `solve`, where the factor of one minimum serves the search for the next."""

    cdef Workspace work
    cdef object of  # what the factor depends on, None before the first minimum

    def __cinit__(self):
        self.work = Workspace()


def solve(gram, each, reach, Py_ssize_t rank, square, target, Py_ssize_t rounds, theta, q, gap,
          counts, int threads, Factor factor=None):
    """Run a ``tw_gram_problem``: theta, q (M, C) in place; gap (M,), counts (2, M) are written.

    ``gram`` (C or more rows, row_step) holds the matrix in its first C rows and columns.  With a
    ``factor``, which takes M = 1, a call begins by a Newton step on what the last one left there,
    unless C, l2, rank or the place of the matrix are others; the numbers in the matrix must be the
    same.  If Ctrl-C raises KeyboardInterrupt, theta and q are those of the last finished step.
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef Watch watch = Watch()
    cdef Workspace work = Workspace()
    cdef c.tw_gram_problem p
    cdef const c.tw_linear *kernel = active(0).linear
    cdef int n_threads = threads_of(threads)
    p.M, p.C = theta.shape
    p.row_step = gram.shape[1]
    if p.C > min(p.row_step, len(gram)):
        raise ValueError("gram must have a row and a column for each coordinate of theta")
    p.gram = <const double *> views.take(gram, c"d", times(len(gram), p.row_step), False)
    p.each = coordinates(views, each, p.C)
    p.reach = views.doubles(reach, p.C, False)
    p.rank, p.rounds = rank, rounds
    p.square = views.doubles(square, p.M, False)
    p.target = views.doubles(target, p.M, False)
    p.theta = views.doubles(theta, times(p.M, p.C), True)
    p.q = views.doubles(q, times(p.M, p.C), True)
    p.gap = views.doubles(gap, p.M, True)
    p.sweeps = <Py_ssize_t *> views.take(counts, INTP, times(2, p.M), True)
    p.steps = p.sweeps + p.M
    p.again = False
    if factor is not None:
        if p.M != 1:
            raise ValueError("a factor is kept of one problem alone")
        now = (
            <size_t> kernel, p.C, p.row_step, p.rank, <size_t> p.gram, bytes(memoryview(each[1]))
        )
        p.again, factor.of, work = factor.of == now, None, factor.work
    cdef void *memory = work.of(kernel.solve_work(&p, n_threads))
    with nogil:
        kernel.solve(&p, n_threads, &watch.watch, memory)
    watch.raise_caught()
    if factor is not None:
        factor.of = now


# ---- iterative coordinate descent for images -------------------------------------------------


cdef c.tw_icd_job image_job(Columns A, prior, x, e, Views views) except *:
    """A job without an order; ``prior`` is (size, offset, weight, width, height, power, target,
    pull), the arrays of double but for ``offset``, (neighbours, 3) of intp.
    """
    cdef c.tw_icd_job job
    cdef c.tw_image_prior *p = &job.prior
    cdef Py_ssize_t axis, pixels = 1
    memset(&job, 0, sizeof(job))
    if A.columns.indptr == NULL or A.columns.mean != NULL:
        raise ValueError("A must be sparse columns that are not centred")
    size, offset, weight, p.width, p.height, p.power, target, p.pull = prior
    for axis in range(3):
        p.size[axis] = size[axis]
        pixels = times(pixels, p.size[axis])
    if pixels != A.columns.P or len(weight) > c.TW_NEIGHBOURS:
        raise ValueError("the grid must have a pixel for each column, and few enough neighbours")
    p.neighbours = len(weight)
    p.offset = <const Py_ssize_t *> views.take(offset, INTP, times(p.neighbours, 3), False)
    p.weight = views.doubles(weight, p.neighbours, False)
    p.target = views.doubles_if_given(target, pixels, False)
    job.c = &A.columns
    job.x, job.e = views.doubles(x, pixels, True), views.doubles(e, A.columns.n, True)
    return job


def image_sweep(Columns A, curvature, prior, double lower, double relaxation, order, x, e, way):
    """Update the pixels of ``order``, or None for all; x, e and way are written.

    Where Ctrl-C raises KeyboardInterrupt, x and e are what the last update left.
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef Watch watch = Watch()
    cdef c.tw_icd_job job = image_job(A, prior, x, e, views)
    cdef const c.tw_icd *kernel = active(A.is_float).icd
    job.lower, job.relaxation = lower, relaxation
    job.curvature = views.doubles(curvature, A.columns.P, False)
    job.way = views.doubles(way, A.columns.P, True)
    job.order = A.chosen(order, views)
    with nogil:
        kernel.sweep(&job, &watch.watch)
    watch.raise_caught()


def image_cost(Columns A, prior, x, e):
    """Return (misfit, penalty), the parts of F."""
    cdef Views views = Views(USUAL_VIEWS)
    cdef Watch watch = Watch()
    cdef c.tw_icd_job job = image_job(A, prior, x, e, views)
    cdef const c.tw_icd *kernel = active(A.is_float).icd
    cdef c.tw_image_cost cost
    with nogil:
        cost = kernel.cost(&job, &watch.watch)
    watch.raise_caught()
    return cost.misfit, cost.penalty

"""Sums over samples of what a tape computes: arrays become pointers, and the GIL is released.

`Terms` is a tape with terms ``scale * a * b`` of values that it computes, `Samples` the arrays that
it reads.  Samples need not be contiguous: each input has its step, so that the columns of an array
are read where they are.
"""
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport free

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport Memory, Views, times, workspace
from thalweg._core.dispatch cimport Watch, active, threads_of
from thalweg._core.tape cimport Tape


cdef class Terms:
    """A tape and terms ``(scale, a, b)`` of its slots; -1 in place of a slot stands for 1."""

    cdef readonly Tape tape
    cdef Memory memory
    cdef c.tw_term *term
    cdef readonly int n

    def __cinit__(self, Tape tape not None, terms):
        cdef int32_t lanes = tape.tape.n_lane, end = lanes + tape.tape.n_point + tape.tape.n_block
        terms = list(terms)
        self.tape, self.n = tape, len(terms)
        self.memory = Memory(self.n, sizeof(c.tw_term))
        self.term = <c.tw_term *> self.memory.at
        for i, (scale, a, b) in enumerate(terms):
            if not (-1 <= scale < lanes and 0 <= a < end and -1 <= b < end):
                raise ValueError(f"term {i} uses a slot that the tape does not have")
            self.term[i] = c.tw_term(scale=scale, a=a, b=b)


cdef class Samples:
    """Columns of K samples each, float64 or float32 with any step, kept where they are."""

    cdef Views views
    cdef Memory places, steps, types
    cdef const void **x
    cdef Py_ssize_t *step
    cdef uint8_t *is_float
    cdef readonly Py_ssize_t n_columns, n_samples

    def __cinit__(self, columns, Py_ssize_t n_samples):
        columns = list(columns)
        cdef Py_ssize_t n = len(columns)
        if n_samples < 0:
            raise ValueError("the number of samples must not be negative")
        self.n_samples, self.views = n_samples, Views(n)
        self.places, self.steps = Memory(n, sizeof(void *)), Memory(n, sizeof(Py_ssize_t))
        self.types = Memory(n, 1)
        self.x, self.step = <const void **> self.places.at, <Py_ssize_t *> self.steps.at
        self.is_float = <uint8_t *> self.types.at
        for column in columns:
            self.append(column)

    cdef int append(self, object column) except -1:
        cdef Py_ssize_t k = self.n_columns
        cdef Py_buffer *view = self.views.strided(column, b"df")
        if view.ndim != 1 or view.shape[0] != self.n_samples:
            raise ValueError(f"column {k} must have shape ({self.n_samples},)")
        self.x[k], self.step[k] = view.buf, view.strides[0] // view.itemsize
        self.is_float[k] = view.format[0] == c"f"
        self.n_columns += 1
        return 0


cdef int run(Terms terms, Samples samples, bint is_float, theta, int32_t n_rows, bint each,
             out, Py_ssize_t n_out, int threads) except -1:
    """Run one pass over the samples; Ctrl-C raises KeyboardInterrupt."""
    cdef const c.tw_loss *kernel = active(is_float).loss
    cdef c.tw_tape *tape = &terms.tape.tape
    cdef Views views = Views()
    cdef Watch watch = Watch()
    if samples.n_columns != tape.n_x:
        raise ValueError(f"the tape reads {tape.n_x} columns, got {samples.n_columns}")
    cdef c.tw_samples job = c.tw_samples(
        tape=tape, n_samples=samples.n_samples, x=samples.x, x_step=samples.step,
        x_is_float=samples.is_float, n_terms=terms.n, terms=terms.term,
        theta=views.take(theta, c"f" if is_float else c"d", tape.n_theta, False),
    )
    cdef double *target = <double *> views.take(out, c"d", n_out, True)
    cdef int n_threads = threads_of(threads)
    cdef size_t size = kernel.work(&job, n_rows, n_threads)
    cdef void *work = workspace(size)
    try:
        with nogil:
            if n_rows:
                kernel.normal(&job, n_rows, n_threads, work, &watch.watch, target)
            elif each:
                kernel.values(&job, n_threads, work, &watch.watch, target)
            else:
                kernel.sums(&job, n_threads, work, &watch.watch, target)
    finally:
        free(work)
    watch.raise_caught()
    return 0


def sums(Terms terms not None, Samples samples not None, bint is_float, theta, out, int threads=0):
    """Write the sum over all samples of each term, float64 (n_terms,)."""
    run(terms, samples, is_float, theta, 0, False, out, terms.n, threads)


def values(Terms terms not None, Samples samples not None, bint is_float, theta, out,
           int threads=0):
    """Write each term of each sample, float64 (K, n_terms)."""
    run(terms, samples, is_float, theta, 0, True, out, times(samples.n_samples, terms.n), threads)


def normal(Terms terms not None, Samples samples not None, bint is_float, theta, int n_rows, out,
           int threads=0):
    """Write the lower triangle, by rows, of sum_k sum_i C_i' C_i.

    The terms of each sample are ``n_rows`` rows C_i, one after the other.
    """
    cdef Py_ssize_t i, m
    if n_rows < 1 or terms.n % n_rows:
        raise ValueError(f"{terms.n} terms cannot be {n_rows} rows")
    for i in range(terms.n):
        if terms.term[i].scale >= 0 or terms.term[i].b >= 0:
            raise ValueError(f"term {i} is an element of a matrix, so it must be one slot")
    m = terms.n // n_rows
    run(terms, samples, is_float, theta, n_rows, False, out, m * (m + 1) // 2, threads)

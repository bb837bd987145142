"""Block principal pivoting: pointers in, GIL out.

Buffers are checked as far as memory safety needs it; the callers have checked everything else.
"""
from libc.stdint cimport int8_t, int32_t
from libc.stdlib cimport free

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport USUAL_VIEWS, Views, times, workspace
from thalweg._core.dispatch cimport Watch, active, threads_of


def block_pivoting(G, C, lower, upper, noise, *, Py_ssize_t M, Py_ssize_t P, bint is_float,
                   bint shared_bounds, int32_t max_iter, theta, objective, violation, reach, n_iter,
                   status, int threads):
    """Run a ``tw_pivot_job``; return None, or an exception that was raised meanwhile, as by Ctrl-C.

    After an exception, problems of status 0 are not finished.
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef Watch watch = Watch()
    cdef Py_ssize_t each = times(M, P), bounds = P if shared_bounds else each
    cdef c.tw_pivot_job job = c.tw_pivot_job(
        M=M, P=P, bound_step=0 if shared_bounds else P, max_iter=max_iter,
        G=views.doubles(G, times(P, P), False),
        c=views.take(C, c"f" if is_float else c"d", each, False),
        lower=views.doubles(lower, bounds, False), upper=views.doubles(upper, bounds, False),
        noise=views.doubles_if_given(noise, M, False), theta=views.doubles(theta, each, True),
        objective=views.doubles(objective, M, True),
        violation=views.doubles(violation, M, True), reach=views.doubles(reach, M, True),
        n_iter=<int32_t *> views.take(n_iter, c"i", M, True),
        status=<int8_t *> views.take(status, c"b", M, True),
    )
    cdef const c.tw_pivot *kernel = active(is_float).pivot
    cdef int n_threads = threads_of(threads)
    times(P, times(P + 1, 64))  # bytes of the factors of eight problems
    cdef void *work = workspace(kernel.work(&job, n_threads))
    with nogil:
        kernel.run(&job, n_threads, &watch.watch, work)
    free(work)
    return watch.error

"""Values and differences of a model that Python calls, for the modules that lead fits by them."""
from thalweg._core.buffers cimport Memory


cdef class Differences:
    cdef object model, dtype, kind
    cdef readonly tuple free
    cdef bint is_float
    cdef Memory memory, places
    cdef Py_ssize_t N, P, F
    cdef Py_ssize_t *place  # [F] of the free parameters
    cdef double *y  # [N] 0 where a point is left out
    cdef double *weight  # [N]
    cdef double *lower  # [P]
    cdef double *upper  # [P]
    cdef double *theta  # [P] where f and J are evaluated
    cdef double *f  # [N]
    cdef double *moved  # [2 N] the values at both ends of a step
    cdef double *column  # [N] one column of J
    cdef double *J  # [N, F]
    cdef double *scale  # [F] s_j; 0: not known yet
    cdef double *largest  # [F] the largest |theta_j| of any trial
    cdef double *last_theta  # [P] where the last derivatives are by central differences
    cdef double *last_J  # [N, F]
    cdef bint has_last, has_chi2
    cdef double eps, near, range, terms, error, total, relative_step, best_chi2, last_chi2
    cdef int take(self, array, double *to, Py_ssize_t count) except -1
    cdef object given(self, const double *values, Py_ssize_t count, shape)
    cdef tuple go_to(self, theta)
    cdef int evaluate(self, tuple theta, double *f, bint strict) except -1
    cdef object value_at(self, theta, bint strict)
    cdef tuple answer(self)
    cdef int keep(self, bint central) noexcept
    cdef double sum_of_squares(self, const double *residual) noexcept
    cdef double chi2(self) noexcept
    cdef bint has_derivatives(self) noexcept
    cdef bint is_near(self) noexcept
    cdef bint is_at_right_angles(self) noexcept
    cdef bint is_where_it_was(self) noexcept
    cdef int differentiate(self, tuple theta, bint central) except -1
    cdef double resolution(self, bint central, double *spread) noexcept
    cdef int derive(self, tuple theta, Py_ssize_t k, double spread, double relative,
                    bint central) except -1
    cdef double steepest(self, bint *lost) noexcept
    cdef int quotient(self, tuple theta, Py_ssize_t j, double h, bint central) except -1
    cdef tuple moved_to(self, tuple theta, Py_ssize_t j, double end)
    cdef int ends(self, Py_ssize_t j, double h, double *end) noexcept

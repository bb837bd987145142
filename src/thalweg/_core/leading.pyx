# cython: cdivision=True
"""Derivatives of a called model in the first attempt: rough on the way, exact at its end.

`thalweg.reference.differences` says how (`Leading`) and derives it; this module does the same on
rows of doubles.
"""
from libc.string cimport memcpy

from thalweg._core.buffers cimport Memory, times
from thalweg._core.differences cimport Differences

cdef double FORETOLD = 0.1, FAR = 0.5, SHORT = 1e-6


cdef class Leading:
    """Value and derivatives at the trials of a first attempt, the latter rough on the way."""

    cdef Differences of
    cdef Memory memory
    cdef double *theta  # [P] where chi2 is the least so far
    cdef double *f  # [N]
    cdef double *J  # [N, F]
    cdef double *along  # [F] the direction of the least change of J
    cdef double chi2
    cdef bint begun
    cdef bint changed  # whether J has been changed since it was one of differences
    cdef bint ends  # whether the fit would have ended before: differences are central since

    def __cinit__(self, Differences differences not None):
        cdef Py_ssize_t N = differences.N, P = differences.P
        self.of = differences
        self.memory = Memory(P + N + times(N, differences.F) + differences.F, sizeof(double))
        self.theta = <double *> self.memory.at
        self.f, self.J = self.theta + P, self.theta + P + N
        self.along = self.J + N * differences.F

    def __call__(self, trial, bint renews):
        """Return the value, its derivatives, their relative error, and whether they are rough.

        ``renews`` asks for derivatives that are not.  The caller has floating-point errors ignored.
        """
        cdef Differences d = self.of
        cdef tuple theta = d.go_to(trial)
        cdef bint rough = True
        self.evaluate(theta)
        cdef double chi2 = d.chi2()
        if self.begun and not (renews or chi2 < self.chi2):
            return self.answer(self.J, True)  # rejected, or as good as the best
        self.ends |= renews
        if not self.begun or renews or not self.leads_on(chi2):
            d.best_chi2, d.last_chi2, d.has_chi2 = chi2, chi2, True
            d.differentiate(theta, self.ends)
            d.keep(self.ends)
            rough = not self.ends
            if self.begun and not d.has_derivatives():
                return self.answer(d.J, rough)  # the trial is rejected for that
            memcpy(self.J, d.J, d.N * d.F * sizeof(double))
            self.changed = False
        memcpy(self.theta, d.theta, d.P * sizeof(double))
        memcpy(self.f, d.f, d.N * sizeof(double))
        self.chi2, self.begun = chi2, True
        return self.answer(self.J, rough)

    cdef tuple answer(self, const double *J, bint rough):
        cdef Differences d = self.of
        f = d.given(d.f, d.N, d.N)
        return f, d.given(J, d.N * d.F, (d.N, d.F)), d.error, rough

    cdef int evaluate(self, tuple theta) except -1:
        """Write the value at theta to the f of the differences."""
        cdef Differences d = self.of
        cdef Py_ssize_t j
        for j in range(d.P):
            if not self.begun or d.theta[j] != self.theta[j]:
                return d.evaluate(theta, d.f, not self.begun)
        memcpy(d.f, self.f, d.N * sizeof(double))
        return 0

    cdef bint leads_on(self, double chi2) noexcept:
        """Whether J, changed if need be, will do where a step has led that lowered chi2."""
        cdef Differences d = self.of
        cdef Py_ssize_t i
        cdef double moved, missed
        cdef double *change = d.moved
        cdef double *unforetold = d.moved + d.N
        for i in range(d.N):
            change[i] = d.f[i] - self.f[i]
            unforetold[i] = change[i] - self.foretold(i)
        moved, missed = d.sum_of_squares(change), d.sum_of_squares(unforetold)
        cdef bint short = (self.chi2 - chi2 <= SHORT * self.chi2
                           or missed <= d.near * d.near * moved)
        cdef bint far = chi2 <= FAR * self.chi2 and missed <= FORETOLD * FORETOLD * moved
        if self.changed or not (short or (far and not self.ends)):
            return False
        if not short:
            self.changed = True
            self.change(unforetold)
        return True

    cdef double foretold(self, Py_ssize_t i) noexcept:
        """The change of f_i by this step that J has foretold."""
        cdef Differences d = self.of
        cdef double sum = 0
        cdef Py_ssize_t k, j
        for k in range(d.F):
            j = d.place[k]
            sum += self.J[i * d.F + k] * (d.theta[j] - self.theta[j])
        return sum

    cdef int change(self, const double *unforetold) noexcept:
        """Change J least so that it foretells the values: by u (D^2 s)' / (s' D^2 s)."""
        cdef Differences d = self.of
        cdef double square, s, product = 0
        cdef Py_ssize_t i, k
        for k in range(d.F):
            square = 0
            for i in range(d.N):
                square += self.J[i * d.F + k] * self.J[i * d.F + k]
            s = d.theta[d.place[k]] - self.theta[d.place[k]]
            self.along[k] = square * s
            product += s * self.along[k]
        for i in range(d.N):
            for k in range(d.F):
                self.J[i * d.F + k] += unforetold[i] * self.along[k] / (product or 1.0)
        return 0

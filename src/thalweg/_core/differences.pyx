# cython: cdivision=True
"""Derivatives of a model that Python calls, by differences of its values.

`thalweg.reference.differences` derives the method and says what its constants are; this module does
the same, with the same names, on rows of doubles, so that a fit of fifty points is not spent on
making small arrays.  Arrays of float32 are doubles here, and are rounded where they leave.
"""
from libc.float cimport DBL_EPSILON, FLT_EPSILON
from libc.math cimport INFINITY, NAN, fabs, fmax, fmin, isfinite, isnan, pow, sqrt
from libc.string cimport memcpy

from thalweg._core.buffers cimport Memory, Views, times

from numpy import dtype as dtype_of
from numpy import empty, errstate, float32

cdef enum:
    TRIES = 6

cdef double EXACT = 1e-10, JUMP = 1e4, FLAT = 1e-3, ALIKE = 30, TOO_LONG = 0.1
cdef double LARGEST_NOISE = 1e-3
cdef object FLOAT32 = dtype_of(float32)


cdef class Differences:
    """Values and derivatives, with respect to ``free``, of ``call(theta)``.

    ``call`` takes a tuple of numbers and returns f (N,), of the element type ``dtype``.  An
    exception of it at the start is raised.  Later an ArithmeticError or a ValueError, such as "math
    domain error", counts as a value of NaN, so that the step which led there is rejected.

    ``data`` are y and 1 / sigma, each (N,); 1 / sigma is 0 where a point is left out.  ``box`` are
    the bounds (P,), beyond which the model is not called.
    """

    def __cinit__(self, call, tuple free, data, box, dtype):
        y, weight = data
        cdef Py_ssize_t N = len(y), P = len(box[0]), F = len(free), i, NF = times(N, F)
        self.model, self.free, self.dtype, self.kind = call, free, dtype, dtype.type
        self.is_float = dtype == FLOAT32
        self.N, self.P, self.F = N, P, F
        self.memory = Memory(6 * N + 2 * NF + 4 * P + 2 * F, sizeof(double))
        self.places = Memory(F, sizeof(Py_ssize_t))
        self.place = <Py_ssize_t *> self.places.at
        for i in range(F):
            self.place[i] = free[i]
            if not 0 <= self.place[i] < P:
                raise ValueError("free parameters must be places of parameters")
        cdef double *at = <double *> self.memory.at
        self.y, self.weight, self.f, self.moved = at, at + N, at + 2 * N, at + 3 * N
        self.column, self.J, at = at + 5 * N, at + 6 * N, at + 6 * N + NF
        self.last_J, at = at, at + NF
        self.lower, self.upper, self.theta, self.last_theta = at, at + P, at + 2 * P, at + 3 * P
        self.scale, self.largest = at + 4 * P, at + 4 * P + F
        self.eps = FLT_EPSILON if self.is_float else DBL_EPSILON
        self.near, self.relative_step = pow(self.eps, 3 / 8.0), sqrt(self.eps) / 4
        self.take(y, self.y, N)
        self.take(weight, self.weight, N)
        self.take(box[0], self.lower, P)
        self.take(box[1], self.upper, P)
        for i in range(N):
            if not self.weight[i] > 0:
                self.y[i] = self.weight[i] = 0  # a y that is left out may be infinite
        self.total = self.sum_of_squares(self.y)

    # ---- arrays in and out ---------------------------------------------------------------------

    cdef int take(self, array, double *to, Py_ssize_t count) except -1:
        """Copy an array of the model's element type."""
        cdef Views views = Views()
        cdef Py_ssize_t i
        cdef const float *floats
        if self.is_float:
            floats = <const float *> views.take(array, c"f", count, False)
            for i in range(count):
                to[i] = floats[i]
        elif count:
            memcpy(to, views.doubles(array, count, False), count * sizeof(double))
        return 0

    cdef object given(self, const double *values, Py_ssize_t count, shape):
        """An array of the model's element type with these values."""
        cdef Views views = Views()
        cdef Py_ssize_t i
        cdef float *floats
        array = empty(shape, self.dtype)
        if self.is_float:
            floats = <float *> views.take(array, c"f", count, True)
            for i in range(count):
                floats[i] = <float> values[i]
        elif count:
            memcpy(views.doubles(array, count, True), values, count * sizeof(double))
        return array

    cdef tuple go_to(self, theta):
        """Note where values and derivatives are wanted; return the arguments of the model there."""
        self.take(theta, self.theta, self.P)
        return tuple(theta)

    cdef int evaluate(self, tuple theta, double *f, bint strict) except -1:
        """Write the model's values; NaN where it refuses theta, unless it is to be strict."""
        cdef Py_ssize_t i
        try:
            value = self.model(theta)
        except (ArithmeticError, ValueError):
            if strict:
                raise
            for i in range(self.N):
                f[i] = NAN
            return 0
        return self.take(value, f, self.N)

    def strict(self, theta):
        """Return the value at theta, or raise what the function raises."""
        return self.value_at(theta, True)

    def value(self, theta):
        """Return the value at theta, NaN where the function refuses it."""
        return self.value_at(theta, False)

    cdef object value_at(self, theta, bint strict):
        with errstate(all="ignore"):
            self.evaluate(self.go_to(theta), self.f, strict)
        return self.given(self.f, self.N, self.N)

    def __call__(self, theta):
        """Return the value and its derivatives, shapes (N,) and (N, F), and their relative error.

        The error is that of the derivatives where chi2 was least.
        """
        cdef tuple arguments = self.go_to(theta)
        cdef bint central
        with errstate(all="ignore"):
            self.evaluate(arguments, self.f, not self.has_chi2)
            central = self.is_near()
            if central and self.is_where_it_was():
                memcpy(self.J, self.last_J, self.N * self.F * sizeof(double))
                return self.answer()
            self.differentiate(arguments, central)
            if not central and self.is_at_right_angles():
                central = True
                self.differentiate(arguments, True)
        self.keep(central)
        return self.answer()

    cdef tuple answer(self):
        f = self.given(self.f, self.N, self.N)
        return f, self.given(self.J, self.N * self.F, (self.N, self.F)), self.error

    cdef int keep(self, bint central) noexcept:
        """Note theta and J, if these are central differences."""
        self.has_last = central
        if central:
            memcpy(self.last_theta, self.theta, self.P * sizeof(double))
            memcpy(self.last_J, self.J, self.N * self.F * sizeof(double))
        return 0

    # ---- sums ----------------------------------------------------------------------------------

    cdef double sum_of_squares(self, const double *residual) noexcept:
        """The sum of (residual / sigma)^2 over the points that are not left out."""
        cdef double[4] sums = [0, 0, 0, 0]  # side by side, so that none waits for the one before
        cdef double weighted
        cdef Py_ssize_t i
        for i in range(self.N):
            if self.weight[i] != 0:  # a point that is left out may be NaN
                weighted = residual[i] * self.weight[i]
                sums[i & 3] += weighted * weighted
        return (sums[0] + sums[1]) + (sums[2] + sums[3])

    cdef double chi2(self) noexcept:
        """The sum of squares of the residuals where f is."""
        cdef Py_ssize_t i
        for i in range(self.N):
            self.column[i] = self.y[i] - self.f[i]
        return self.sum_of_squares(self.column)

    cdef bint has_derivatives(self) noexcept:
        """Whether J is finite at every point that is not left out."""
        cdef Py_ssize_t i, k
        for i in range(self.N):
            for k in range(self.F):
                if self.weight[i] != 0 and not isfinite(self.J[i * self.F + k]):
                    return False
        return True

    cdef bint is_near(self) noexcept:
        """Whether differences must be central, because chi2 hardly changes or is nearly 0."""
        cdef double chi2 = self.chi2(), least = self.near * self.best_chi2
        cdef bint near = chi2 <= EXACT * self.total
        if self.has_chi2:
            near |= fabs(chi2 - self.best_chi2) <= least
            near |= fabs(chi2 - self.last_chi2) <= self.near * self.last_chi2
        if not self.has_chi2 or chi2 < self.best_chi2:
            self.best_chi2 = chi2
        self.last_chi2, self.has_chi2 = chi2, True
        return near

    cdef bint is_at_right_angles(self) noexcept:
        """Whether no parameter alone could lower chi2 by more than `near`: a fit may stop here."""
        cdef double product, square, e, a, chi2 = self.chi2()
        cdef Py_ssize_t i, k
        for k in range(self.F):
            product = square = 0
            for i in range(self.N):
                if self.weight[i] != 0:
                    e = (self.y[i] - self.f[i]) * self.weight[i]
                    a = self.J[i * self.F + k] * self.weight[i]
                    product += e * a
                    square += a * a
            if not product * product <= self.near * chi2 * square:
                return False
        return True

    cdef bint is_where_it_was(self) noexcept:
        """Whether the last derivatives were central differences and will do here as well."""
        cdef Py_ssize_t k, j
        for k in range(self.F):
            j = self.place[k]
            if not (fabs(self.theta[j] - self.last_theta[j])
                    <= self.relative_step * self.scale[k]):
                return False
        return self.has_last

    # ---- derivatives ---------------------------------------------------------------------------

    cdef int differentiate(self, tuple theta, bint central) except -1:
        """Write J at theta, where f is."""
        cdef double spread, relative = self.resolution(central, &spread), largest
        cdef Py_ssize_t i, k
        self.range = self.range or spread
        if self.best_chi2 == self.last_chi2:  # chi2 is the least so far
            self.error = sqrt(ALIKE) * pow(relative, 2 if central else 1)
        self.terms = 0
        for k in range(self.F):
            self.derive(theta, k, spread, relative, central)
            largest = 0
            for i in range(self.N):
                self.J[i * self.F + k] = self.column[i]
                if not fabs(self.column[i]) <= largest:
                    largest = fabs(self.column[i]) if not isnan(largest) else NAN
            largest *= fabs(self.theta[self.place[k]])
            if isfinite(largest):
                self.terms = fmax(self.terms, largest)
        return 0

    cdef double resolution(self, bint central, double *spread) noexcept:
        """The relative change of the values that a step should make; their range to ``spread``."""
        cdef double low = INFINITY, high = -INFINITY, size, noise
        cdef Py_ssize_t i
        for i in range(self.N):
            if isfinite(self.f[i]):
                low, high = fmin(low, self.f[i]), fmax(high, self.f[i])
        if low > high:
            low = high = 0
        size, spread[0] = fmax(-low, high), high - low
        if not spread[0] > self.eps * size:
            spread[0] = size or 1.0
        noise = self.eps * fmax(fmax(spread[0], size), self.terms) / spread[0]
        return pow(fmin(noise, LARGEST_NOISE), 1 / 3.0 if central else 0.5)

    cdef int derive(self, tuple theta, Py_ssize_t k, double spread, double relative,
                    bint central) except -1:
        """Write df/dtheta_j to ``column``, j = free[k]; note the s_j of the next step."""
        cdef Py_ssize_t j = self.place[k]
        cdef double size = fabs(self.theta[j]), longest = INFINITY, wanted, before, steepest
        cdef double most = fmax(spread, self.range) * fmax(TOO_LONG, ALIKE * relative)
        cdef double scale = self.scale[k] or size or 1.0
        cdef bint known = self.scale[k] != 0, too_long, lost
        self.largest[k] = fmax(self.largest[k], size)
        for _ in range(TRIES):
            self.quotient(theta, j, scale * relative, central)
            steepest = self.steepest(&lost)
            wanted = spread / steepest if steepest != 0 else scale * JUMP
            if self.largest[k] > 1e-9 * wanted:  # false for a parameter that has always been 0
                wanted = fmin(wanted, fmax(self.largest[k], FLAT * wanted))
            if steepest < INFINITY and wanted < sqrt(self.eps) * size:
                wanted = size  # the range of values that vanish, as residuals do, tells nothing
            too_long = lost or steepest * scale * relative > most
            longest = scale / ALIKE if too_long else longest
            before = scale
            scale = fmin(fmin(fmax(wanted, scale / JUMP), scale * JUMP), longest)
            if not too_long and (known or before / ALIKE <= scale <= ALIKE * before):
                break
        self.scale[k] = scale if 0 < steepest < INFINITY else 0
        return 0

    cdef double steepest(self, bint *lost) noexcept:
        """The largest finite |df/dtheta_j|, infinite if none is; ``lost``: f has more values."""
        cdef double most = -1
        cdef Py_ssize_t i
        lost[0] = False
        for i in range(self.N):
            if isfinite(self.column[i]):
                most = fmax(most, fabs(self.column[i]))
            else:
                lost[0] |= isfinite(self.f[i])
        return most if most >= 0 else INFINITY

    cdef int quotient(self, tuple theta, Py_ssize_t j, double h, bint central) except -1:
        """(f(theta + h) - f(theta - h)) / 2 h, or one-sided where only one side has a value."""
        cdef double[2] end
        cdef double here = self.theta[j], both
        cdef double *above = self.moved
        cdef double *below = self.moved + self.N
        cdef int n = self.ends(j, h, end)
        cdef Py_ssize_t i
        cdef bint lost = False
        self.evaluate(self.moved_to(theta, j, end[0]), above, False)
        for i in range(self.N):
            self.column[i] = (above[i] - self.f[i]) / (end[0] - here)
            lost |= isnan(self.column[i]) and not isnan(self.f[i])
        if n == 1 or not (central or lost):
            return 0
        self.evaluate(self.moved_to(theta, j, end[1]), below, False)
        for i in range(self.N):
            both = (above[i] - below[i]) / (end[0] - end[1])
            if not isnan(both):
                self.column[i] = both
            elif isnan(self.column[i]):
                self.column[i] = (below[i] - self.f[i]) / (end[1] - here)
        return 0

    cdef tuple moved_to(self, tuple theta, Py_ssize_t j, double end):
        """The arguments of the model where theta_j is at this end of a step."""
        cdef list arguments = list(theta)
        arguments[j] = self.kind(end)
        return tuple(arguments)

    cdef int ends(self, Py_ssize_t j, double h, double *end) noexcept:
        """theta_j moved by h upwards and downwards, as far as the bounds let it; their number."""
        cdef double here = self.theta[j], lower = self.lower[j], upper = self.upper[j]
        cdef double[2] to
        cdef int n = 0, i
        h = fmax(h, 4 * self.eps * fabs(here))  # a shorter step might not move theta_j
        if upper - lower < 2 * h:
            h = (upper - lower) / 4 or h
        to[0], to[1] = here + h, here - h
        for i in range(2):
            if lower <= to[i] <= upper or lower == upper:
                end[n] = <float> to[i] if self.is_float else to[i]
                n += 1
        if n == 0:  # theta_j is NaN, and so are the values there
            end[0], n = here, 1
        return n

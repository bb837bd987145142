"""The fitting engine seen from Python: jobs of many fits, and fits by trials.

Arrays are raw buffers (buffers.pyx), of the job's element type and of exactly the sizes that follow
from the tape and the job.  This module checks that, as memory safety needs it; everything else has
been checked by its callers.
"""
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t
from libc.string cimport memcpy, memset

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport USUAL_VIEWS, Memory, Views, Workspace, times
from thalweg._core.dispatch cimport Watch, active, threads_of
from thalweg._core.tape cimport Tape, refuse_giant

cdef int MOST_NOISE = 4  # TW_CAUCHY, the last tw_noise of csrc/fit/contract.h
cdef char INT64 = c"l" if sizeof(long) == 8 else c"q"  # the struct format of NumPy's int64


cdef class Job:
    """A ``tw_fit_job`` with the arrays it points to.

    ``x`` and the per-point and per-parameter arrays come as ``(array, step)`` with step 0 for one
    row that all fits share; ``out`` is a dict of arrays to be written, named as in tw_fit_job;
    ``options`` are xtol, ftol, gtol, max_iter and the most attempts; ``scaled`` is that of
    tw_fit_job.  ``noise`` is a tw_noise, and ``f_scale`` the scale of a robust loss, (1,) or (B,).
    ``linear`` holds places among the free parameters, ascending; with ``eliminate`` these need no
    start.  If ``out`` has ``next`` and ``attempts``, as it must for more than one attempt, `again`
    may be called after `run`.
    """

    cdef c.tw_fit_job job
    cdef Views views
    cdef Tape tape, curved
    cdef Memory memory  # the pointers and steps of x, and the places of the linear parameters

    def __cinit__(self, Tape tape not None, bint is_float, Py_ssize_t n_fits,
                  Py_ssize_t n_points, *, x, y, start, dict out, sigma=None, mask=None,
                  lower=None, upper=None, Py_ssize_t bound_step=0, fixed=None, options,
                  bint absolute_sigma=False, bint scaled=False, linear=(), bint eliminate=False,
                  int noise=0, f_scale=None):
        x, linear = list(x), tuple(linear)
        cdef Py_ssize_t B = n_fits, N = n_points, k, n_x = len(x), BN = times(B, N)
        cdef Py_ssize_t P = tape.tape.n_theta, F = tape.tape.n_free, BP = times(B, P)
        cdef char real = c"f" if is_float else c"d"
        cdef Views views = Views(n_x + USUAL_VIEWS)
        cdef c.tw_fit_job *job = &self.job
        if n_x != tape.tape.n_x:
            raise ValueError("the job does not fit its tape")
        refuse_giant(&tape.tape, N)
        self.views, self.tape = views, tape
        self.memory = Memory(2 * n_x + len(linear), sizeof(void *))
        cdef const void **pointers = <const void **> self.memory.at
        cdef Py_ssize_t *steps = <Py_ssize_t *> (pointers + n_x)
        memset(job, 0, sizeof(c.tw_fit_job))
        job.tape, job.is_float, job.n_fits, job.n_points = &tape.tape, is_float, B, N
        for k in range(n_x):
            pointers[k] = self.take_rows(x[k], real, N, &steps[k])
        job.x, job.x_step = pointers, steps
        job.y = views.take(y, real, BN, False)
        job.sigma = self.rows_if_given(sigma, real, N, &job.sigma_step)
        job.mask = <const uint8_t *> self.rows_if_given(mask, c"B", N, &job.mask_step)
        job.start = self.take_rows(start, real, P, &job.start_step)
        job.lower = views.take_if_given(lower, real, BP if bound_step else P)
        job.upper = views.take_if_given(upper, real, BP if bound_step else P)
        job.bound_step = P if bound_step else 0
        if (job.lower == NULL) != (job.upper == NULL):
            raise ValueError("lower and upper must both be given, or both be None")
        job.fixed = <const uint8_t *> views.take_if_given(fixed, c"B", BP)
        job.xtol, job.ftol, job.gtol, job.max_iter, job.most_attempts = options
        job.absolute_sigma, job.scaled = absolute_sigma, scaled
        job.eliminate, job.noise = eliminate, noise
        if not 0 <= noise <= MOST_NOISE:
            raise ValueError("the noise must be a tw_noise")
        job.f_scale = self.rows_if_given(f_scale, real, 1, &job.f_scale_step)
        job.theta = views.take(out["theta"], real, BP, True)
        job.covariance = views.take(out["covariance"], real, times(B, F * (F + 1) // 2), True)
        job.chi2 = views.take(out["chi2"], real, B, True)
        job.n_iter = <int32_t *> views.take(out["n_iter"], c"i", B, True)
        job.n_used = <int64_t *> views.take(out["n_used"], INT64, B, True)
        job.status = <int8_t *> views.take(out["status"], c"b", B, True)
        job.detail = <int32_t *> views.take(out["detail"], c"i", B, True)
        self.take_later(out)
        self.take_linear(linear, <int32_t *> (steps + n_x))

    cdef void *take_rows(self, rows, char kind, Py_ssize_t n, Py_ssize_t *step) except? NULL:
        """The address of rows of n elements, given as ``(array, step)``, and their distance."""
        array, of_each = rows
        step[0] = n if of_each else 0
        return self.views.take(array, kind, times(self.job.n_fits, n) if of_each else n, False)

    cdef void *rows_if_given(self, rows, char kind, Py_ssize_t n, Py_ssize_t *step) except? NULL:
        """The same; NULL for None."""
        return NULL if rows is None else self.take_rows(rows, kind, n, step)

    cdef int take_later(self, dict out) except -1:
        """Take the arrays of later attempts, if there may be any."""
        if self.job.most_attempts > 1 or "next" in out:
            self.job.next = <int8_t *> self.views.take(out["next"], c"b", self.job.n_fits, True)
            self.job.attempts = <int8_t *> self.views.take(out["attempts"], c"b",
                                                           self.job.n_fits, True)
        return 0

    cdef int take_linear(self, tuple linear, int32_t *places) except -1:
        """Take the places of the parameters that the model is linear in together."""
        cdef Py_ssize_t k, n = len(linear)
        for k in range(n):
            places[k] = linear[k]
            if not (places[k - 1] if k else -1) < places[k] < self.job.tape.n_free:
                raise ValueError("the linear parameters must be ascending places of free ones")
        self.job.linear, self.job.n_linear = places, <int32_t> n
        return 0

    def run(self, int threads=0, progress=None):
        """Run the first attempt of all fits; return the watch.

        Its ``stopped`` says whether the job was stopped early; ``error`` is Ctrl-C or an exception
        of ``progress``, if one of these was why.
        """
        if self.tape.tape.output == NULL:
            raise ValueError("the tape has no code")
        # looked up once, since another thread may change these settings meanwhile
        cdef const c.tw_engine *engine = active(self.job.is_float).engine
        cdef int n_threads = threads_of(threads)
        cdef Watch watch = Watch(progress)
        cdef Workspace memory = Workspace()
        cdef void *work = memory.of(engine.fit_work(&self.job, n_threads))
        with nogil:
            engine.fit(&self.job, n_threads, work, &watch.watch, &watch.done)
        return watch

    def run_shared(self, begin, shared, bint partial, dict totals, int threads=0, progress=None):
        """Fit groups of data sets that share parameters; return the watch.

        ``begin`` (int64, n_groups + 1) ascends from 0 to the number of fits, ``shared`` holds the
        places of the shared parameters among the free ones, ascending; ``totals`` is a dict of
        arrays to be written, an element for each group; see tw_fit_groups in csrc/fit/contract.h.
        """
        cdef c.tw_fit_groups groups
        cdef Py_ssize_t n = len(begin) - 1, g
        cdef Views views = Views(6)
        cdef const int64_t *first = <const int64_t *> views.take(begin, INT64, n + 1, False)
        cdef const int32_t *places = <const int32_t *> views.take(shared, c"i", len(shared), False)
        groups.n_groups, groups.begin, groups.partial = n, first, partial
        groups.n_shared, groups.shared = <int32_t> len(shared), places
        groups.status = <int8_t *> views.take(totals["status"], c"b", n, True)
        groups.chi2 = <double *> views.take(totals["chi2"], c"d", n, True)
        groups.n_used = <int64_t *> views.take(totals["n_used"], INT64, n, True)
        groups.n_free = <int64_t *> views.take(totals["n_free"], INT64, n, True)
        if n < 0 or first[0] != 0 or first[n] != self.job.n_fits or groups.n_shared < 1:
            raise ValueError("the groups must hold all fits, and share a parameter")
        for g in range(n):
            if not first[g] < first[g + 1]:
                raise ValueError("a group must hold a fit")
        for g in range(groups.n_shared):
            if not (places[g - 1] if g else -1) < places[g] < self.job.tape.n_free:
                raise ValueError("the shared parameters must be ascending places of free ones")
        return self.fit_groups(&groups, threads_of(threads), Watch(progress))

    cdef Watch fit_groups(self, const c.tw_fit_groups *groups, int threads, Watch watch):
        """Fit the groups; the workspace is made for this call."""
        if self.tape.tape.output == NULL:
            raise ValueError("the tape has no code")
        cdef const c.tw_engine *engine = active(self.job.is_float).engine
        cdef Workspace memory = Workspace()
        cdef void *work = memory.of(engine.shared_work(&self.job, groups, threads))
        with nogil:
            engine.shared(&self.job, groups, threads, work, &watch.watch, &watch.done)
        return watch

    def again(self, which, Tape curved, int threads=0, progress=None):
        """Run later attempts of the fits ``which`` (int64, ascending), for which ``next`` is > 0.

        ``curved`` is the tape of second derivatives, or None; see `again` in csrc/fit/contract.h.
        """
        cdef Py_ssize_t n = len(which), k
        cdef Views views = Views(1)
        cdef const Py_ssize_t *fits = <const Py_ssize_t *> views.take(which, INT64, n, False)
        if self.job.next == NULL or self.job.attempts == NULL:
            raise ValueError("a job without the array `next` has no later attempts")
        for k in range(n):
            if not (fits[k - 1] if k else -1) < fits[k] < self.job.n_fits:
                raise ValueError("the fits to try again must be ascending places in the job")
            if self.job.next[fits[k]] <= 0:
                raise ValueError(f"fit {fits[k]} is not to be tried again")
        self.refuse_curved(curved)
        self.curved, self.job.curved = curved, NULL
        if curved is not None:
            self.job.curved = &curved.tape
        return self.try_again(fits, n, threads_of(threads), Watch(progress))

    cdef Watch try_again(self, const Py_ssize_t *fits, Py_ssize_t n, int threads, Watch watch):
        """Run later attempts of n fits; the workspace is made for this call."""
        cdef const c.tw_engine *engine = active(self.job.is_float).engine
        cdef Workspace memory = Workspace()
        cdef void *work = memory.of(engine.again_work(&self.job, n, threads))
        with nogil:
            engine.again(&self.job, fits, n, threads, work, &watch.watch, &watch.done)
        return watch

    @property
    def unsettled(self):
        """Whether later attempts of any fit may do better."""
        cdef Py_ssize_t fit
        if self.job.next == NULL:
            return False
        for fit in range(self.job.n_fits):
            if self.job.next[fit] > 0:
                return True
        return False

    def again_called(self, evaluate, value, trial):
        """Run later attempts of fit 0 of a model that Python evaluates.

        ``evaluate(trial)`` returns f (N,) and J (N, F) at ``trial`` (P,), and the relative error of
        the columns of J; ``value(trial)`` returns f alone.
        """
        if self.job.next == NULL or self.job.next[0] <= 0:
            raise ValueError("the fit is not to be tried again")
        cdef Called called = Called(self, evaluate, value, trial)
        cdef Watch watch = Watch(None)
        cdef Py_ssize_t fit = 0
        self.job.call, self.job.context = call_model, <void *> called
        try:
            self.try_again(&fit, 1, 1, watch)
        finally:
            self.job.call, self.job.context = NULL, NULL
        if called.error is not None:
            raise called.error
        watch.raise_caught()

    cdef int refuse_curved(self, Tape curved) except -1:
        """Refuse a tape of second derivatives whose sizes do not go with the job's tape."""
        cdef const c.tw_tape *t = self.job.tape
        if curved is None:
            return 0
        if (curved.tape.output == NULL or curved.tape.n_x != t.n_x
                or curved.tape.n_theta != 2 * t.n_theta or curved.tape.n_free != t.n_free + 1):
            raise ValueError("the tape of second derivatives does not have the sizes of the job's")
        refuse_giant(&curved.tape, self.job.n_points)
        return 0


cdef class Called:
    """A model that Python evaluates: what the engine calls, and the exception of a call."""

    cdef Job job
    cdef object evaluate, value, trial, error

    def __cinit__(self, Job job not None, evaluate, value, trial):
        self.job, self.evaluate, self.value = job, evaluate, value
        self.trial, self.error = trial, None

    cdef int answer(self, const void *theta, void *f, void *J) except -1:
        """Write the value at theta, and the derivatives if J is not NULL."""
        cdef Py_ssize_t N = self.job.job.n_points, F = self.job.tape.tape.n_free
        cdef Py_ssize_t P = self.job.tape.tape.n_theta
        cdef size_t size = sizeof(float) if self.job.job.is_float else sizeof(double)
        cdef char real = c"f" if self.job.job.is_float else c"d"
        cdef Views views = Views()
        memcpy(views.take(self.trial, real, P, True), theta, P * size)
        if J == NULL:
            memcpy(f, views.take(self.value(self.trial), real, N, False), N * size)
            return 0
        value, jacobian, self.job.job.jacobian_error = self.evaluate(self.trial)
        memcpy(f, views.take(value, real, N, False), N * size)
        memcpy(J, views.take(jacobian, real, times(N, F), False), N * F * size)
        return 0


cdef int call_model(void *context, const void *theta, void *f, void *J) noexcept with gil:
    cdef Called self = <Called> context
    try:
        self.answer(theta, f, J)
        return 0
    except BaseException as error:
        self.error = error
        return 1


cdef class Trials:
    """Fit 0 of a job whose model only Python can evaluate, one trial at a time.

    ``trial`` is where the model is to be evaluated next; `next` takes values and derivatives there.
    These may be ``rough`` unless ``renews`` says that the fit would end there.
    """

    cdef Job job
    cdef const c.tw_engine *engine
    cdef Workspace work
    cdef readonly object trial
    cdef readonly bint done, renews

    def __cinit__(self, Job job not None, trial):
        cdef char real = c"f" if job.job.is_float else c"d"
        cdef Views views = Views()
        cdef void *target = views.take(trial, real, job.tape.tape.n_theta, True)
        if job.job.n_fits < 1:
            raise ValueError("the job has no fit")
        self.job, self.trial, self.engine = job, trial, active(job.job.is_float).engine
        self.work = Workspace()
        cdef void *work = self.work.of(self.engine.trial_work(&job.job))
        self.done = self.engine.trial_begin(&job.job, work, target) != 0

    def next(self, f, J, double error, bint rough=False):
        """Judge the trial by f (N,) and J (N, F), whose columns have this relative error.

        A ``rough`` J leads on, but no fit ends by it.  Returns whether the fit has ended.
        """
        cdef Py_ssize_t N = self.job.job.n_points, F = self.job.tape.tape.n_free
        cdef char real = c"f" if self.job.job.is_float else c"d"
        cdef Views views = Views()
        cdef void *value = views.take(f, real, N, False)
        cdef void *jacobian = views.take(J, real, times(N, F), False)
        cdef void *target = views.take(self.trial, real, self.job.tape.tape.n_theta, True)
        if self.done:
            raise ValueError("the fit has ended")
        self.job.job.jacobian_error = error
        cdef void *work = self.work.at
        cdef int told
        with nogil:
            told = self.engine.trial_next(&self.job.job, work, value, jacobian, rough, target)
        self.done, self.renews = told == 1, told == 2
        return self.done

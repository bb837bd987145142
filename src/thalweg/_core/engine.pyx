"""The fitting engine seen from Python, and the one module that links the C library.

Arrays are raw buffers (buffers.pyx) of the job's element type and of exactly the size that the tape
and the job say; this is all that memory safety needs.  Everything else, callers have checked.
"""
import os

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT32_MAX, int8_t, int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport MOST, USUAL_VIEWS, Memory, Views, times

cdef enum:
    MOST_SLOTS = 0x7FFFFFF  # of a tape: C counts their lanes, 16 of floats, in 32 bits

cdef char INT64 = c"l" if sizeof(long) == 8 else c"q"  # the struct format of NumPy's int64

cdef double POLL_INTERVAL = 0.05  # seconds between looks at Ctrl-C and calls of `progress`
cdef Py_ssize_t POINTS_UNSEEN = 1 << 20  # values computed between two looks at Ctrl-C: milliseconds


def operations():
    """Return the operations of a tape, by number, as ``(name, arity)``."""
    cdef const char *name
    cdef int arity
    found = []
    while (arity := c.tw_operation(len(found), &name)):
        found.append((name.decode(), arity))
    return found


# ---- instruction sets and threads ------------------------------------------------------------

cdef object refused = None  # why no instruction set may be used


cdef const c.tw_kernels *active(int is_float) except NULL:
    """The kernels in use, for double or for float."""
    if refused is not None:
        raise ValueError(refused)
    return c.tw_active(is_float)


cdef int threads_of(int threads) noexcept nogil:
    """The number of threads to use; 0 asks for as many as there are."""
    return threads if threads > 0 else c.tw_threads()


def variants():
    """Return the instruction sets this processor can run, best first."""
    cdef const char *names[8]
    cdef int i, n = c.tw_variants(names, 8)
    return [names[i].decode() for i in range(n)]


def active_variant():
    """Return the instruction set in use."""
    return active(0).name.decode()


def select_variant(name):
    """Use the instruction set ``name``, or the best for None."""
    global refused
    cdef bytes text = b"" if name is None else os.fsencode(name)
    if c.tw_select(NULL if name is None else <const char *> text):
        raise ValueError(
            f"instruction set {name!r} is not available here; this processor runs "
            + ", ".join(variants())
        )
    refused = None


def get_num_threads():
    """Return how many threads a call uses when it does not say."""
    return c.tw_threads()


def set_num_threads(int n):
    """Set how many threads a call uses when it does not say; 0 takes the setting back."""
    c.tw_set_threads(n)


try:
    if os.environ.get("THALWEG_SIMD"):  # else C takes the best when it is first asked
        select_variant(os.environ["THALWEG_SIMD"])
except ValueError as error:  # said by whatever would compute: an import cannot say it in a sentence
    refused = f"THALWEG_SIMD: {error}"


# ---- tapes -----------------------------------------------------------------------------------

cdef class Tape:
    """A program of three stages; see ``tw_tape`` in csrc/thalweg.h.

    Parameters are the fields of ``tw_tape``: counts, ``code`` as rows ``(op, out, in, in, in)`` in
    the order x stage, theta stage, block stage with ``n_code`` their lengths, and ``output``.
    """

    def __cinit__(self, int n_theta, int n_x, constants, n_slots, code, n_code, free_theta, output):
        # lists of their own: whatever length others claim to have, these have it
        constants, code, output = list(constants), list(code), list(output)
        self.free_theta = tuple(free_theta)
        cdef Py_ssize_t i, k, n_const = len(constants), n_free = len(self.free_theta)
        n_lane, n_point, n_block = n_slots
        n_point_code, n_lane_code, n_block_code = n_code
        self.code = <c.tw_instruction *> calloc(len(code) + 1, sizeof(c.tw_instruction))
        self.constants = <double *> calloc(n_const + 1, sizeof(double))
        self.indices = <int32_t *> calloc(2 * n_free + 1, sizeof(int32_t))
        if self.code == NULL or self.constants == NULL or self.indices == NULL:
            raise MemoryError
        lengths = n_point_code, n_lane_code, n_block_code
        if sum(lengths) != len(code) or min(lengths) < 0:
            raise ValueError("n_code does not add up to the length of code")
        if len(output) not in (0, n_free + 1):
            raise ValueError("there must be an output for f and for each derivative, or none")
        if max(n_const, n_free, len(code)) > INT32_MAX:
            raise OverflowError("a tape has no room for so many constants or instructions")
        for i, row in enumerate(code):
            self.code[i].op, self.code[i].out = row[0], row[1]
            for k in range(3):
                self.code[i].inputs[k] = row[2 + k]
        for i in range(n_const):
            self.constants[i] = constants[i]
        for i in range(n_free):
            self.indices[i] = self.free_theta[i]
        for i in range(len(output)):
            self.indices[n_free + i] = output[i]
        cdef const int32_t *outputs = NULL
        if len(output):
            outputs = self.indices + n_free
        self.tape = c.tw_tape(
            n_theta=n_theta, n_x=n_x, n_const=n_const,
            n_lane=n_lane, n_point=n_point, n_block=n_block,
            n_point_code=n_point_code, n_lane_code=n_lane_code, n_block_code=n_block_code,
            code=self.code, constants=self.constants, n_free=n_free,
            free_theta=self.indices, output=outputs,
        )
        check_program(&self.tape)

    def __dealloc__(self):
        free(self.code)
        free(self.constants)
        free(self.indices)

    @property
    def sizes(self):
        """How many slots and instructions each stage has, for people who look."""
        return {
            "lane_slots": self.tape.n_lane,
            "point_slots": self.tape.n_point,
            "block_slots": self.tape.n_block,
            "point_code": self.tape.n_point_code,
            "lane_code": self.tape.n_lane_code,
            "block_code": self.tape.n_block_code,
        }


cdef int check_program(const c.tw_tape *t) except -1:
    """Refuse a program that would read or write outside its slots."""
    cdef int64_t results = <int64_t> t.n_const + t.n_theta, points = t.n_lane
    cdef int64_t blocks = points + t.n_point, end = blocks + t.n_block, slot
    cdef int32_t i, k
    cdef int32_t n_code = t.n_point_code + t.n_lane_code + t.n_block_code
    cdef const char *name
    if results > t.n_lane or t.n_x > t.n_point or min(t.n_theta, t.n_x, t.n_block) < 0:
        raise ValueError("there are fewer slots than constants, parameters and x inputs need")
    if end > MOST_SLOTS:
        raise OverflowError(f"{end} slots are more than the {MOST_SLOTS} that C can count")
    for i in range(n_code):
        if not c.tw_operation(t.code[i].op, &name):
            raise ValueError(f"no operation has number {t.code[i].op}")
        slot = t.code[i].out
        if i < t.n_point_code:
            good = points + t.n_x <= slot < blocks
        elif i < t.n_point_code + t.n_lane_code:
            good = results <= slot < points
        else:
            good = blocks <= slot < end
        for k in range(3):
            slot = t.code[i].inputs[k]
            if i < t.n_point_code:
                good = good and (0 <= slot < t.n_const or points <= slot < blocks)
            elif i < t.n_point_code + t.n_lane_code:
                good = good and 0 <= slot < points
            else:
                good = good and 0 <= slot < end
        if not good:
            raise ValueError(f"instruction {i} uses a slot that is not of its stage")
    for k in range(t.n_free):
        if not 0 <= t.free_theta[k] < t.n_theta:
            raise ValueError(f"there is no parameter {t.free_theta[k]}")
    for k in range(t.n_free + 1 if t.output != NULL else 0):
        if not (0 <= t.output[k] < points or blocks <= t.output[k] < end):
            raise ValueError(f"output {k} must be a slot of the theta or the block stage")
    return 0


cdef int refuse_giant(const c.tw_tape *t, Py_ssize_t n_points) except -1:
    """Refuse a job whose workspace, counted in bytes, would overflow.

    A point has a number for each slot; beside the points there are triangles of F parameters for
    every lane, and for every chunk of a thousand points at least.
    """
    cdef Py_ssize_t numbers = <Py_ssize_t> t.n_lane + t.n_point + t.n_block + 2
    numbers += (<Py_ssize_t> t.n_free + 2) * (<Py_ssize_t> t.n_free + 2)
    if n_points > MOST // 4096 // numbers - 1024:
        raise MemoryError(f"{n_points} points need more memory than there are addresses")
    return 0


# ---- watching a job --------------------------------------------------------------------------

cdef class Watch:
    """Ctrl-C and progress: ``progress(done)`` is called now and then; a true value ends the job."""

    def __cinit__(self, progress=None):
        self.progress = progress
        self.watch.poll = poll
        self.watch.context = <void *> self
        self.watch.interval = POLL_INTERVAL

    @property
    def stopped(self):
        """Whether the job was told to stop."""
        return self.watch.stop != 0


cdef int poll(void *context) noexcept with gil:
    cdef Watch self = <Watch> context
    if self.watch.stop:  # the threads that still work have not seen it yet
        return 1
    try:
        PyErr_CheckSignals()
        return self.progress is not None and bool(self.progress(self.done))
    except BaseException as error:
        self.error = error
        return 1


# ---- fitting ---------------------------------------------------------------------------------

cdef class Job:
    """A ``tw_fit_job`` with the arrays it points to.

    ``x`` and the per-point and per-parameter arrays come as ``(array, step)`` with step 0 for one
    row that all fits share; ``out`` is a dict of arrays to be written, named as in tw_fit_job;
    ``options`` are xtol, ftol, gtol, max_iter and absolute_sigma; ``scaled`` is that of tw_fit_job.
    ``linear`` holds places among the free parameters, ascending.  With more than one of
    ``attempts``, ``out`` has ``next`` and ``attempts``, and `again` may be asked after `run`.
    """

    cdef c.tw_fit_job job
    cdef Views views
    cdef Tape tape, curved
    cdef Memory x, x_step, linear

    def __cinit__(self, Tape tape not None, bint is_float, Py_ssize_t n_fits,
                  Py_ssize_t n_points, *, x, y, start, dict out, sigma=(None, 0), mask=(None, 0),
                  lower=None, upper=None, Py_ssize_t bound_step=0, fixed=None, options,
                  bint scaled=False, linear=(), int attempts=1):
        x = list(x)
        cdef Py_ssize_t B = n_fits, N = n_points, k, n_x = len(x), BN = times(B, N)
        cdef Py_ssize_t P = tape.tape.n_theta, F = tape.tape.n_free, BP = times(B, P)
        cdef char real = c"f" if is_float else c"d"
        cdef Views views = Views(n_x + USUAL_VIEWS)
        cdef c.tw_fit_job *job = &self.job
        if n_x != tape.tape.n_x:
            raise ValueError("the job does not fit its tape")
        refuse_giant(&tape.tape, N)
        self.views, self.tape = views, tape
        self.x, self.x_step = Memory(n_x, sizeof(void *)), Memory(n_x, sizeof(Py_ssize_t))
        cdef const void **pointers = <const void **> self.x.at
        cdef Py_ssize_t *steps = <Py_ssize_t *> self.x_step.at
        memset(job, 0, sizeof(c.tw_fit_job))
        job.tape, job.is_float, job.n_fits, job.n_points = &tape.tape, is_float, B, N
        for k, (array, step) in enumerate(x):
            pointers[k] = views.take(array, real, BN if step else N, False)
            steps[k] = N if step else 0
        job.x, job.x_step = pointers, steps
        job.y = views.take(y, real, BN, False)
        job.sigma = views.take_if_given(sigma[0], real, BN if sigma[1] else N)
        job.sigma_step = N if sigma[1] else 0
        job.mask = <const uint8_t *> views.take_if_given(mask[0], c"B", BN if mask[1] else N)
        job.mask_step = N if mask[1] else 0
        job.start = views.take(start[0], real, BP if start[1] else P, False)
        job.start_step = P if start[1] else 0
        job.lower = views.take_if_given(lower, real, BP if bound_step else P)
        job.upper = views.take_if_given(upper, real, BP if bound_step else P)
        job.bound_step = P if bound_step else 0
        if (job.lower == NULL) != (job.upper == NULL):
            raise ValueError("both bounds or neither")
        job.fixed = <const uint8_t *> views.take_if_given(fixed, c"B", BP)
        job.xtol, job.ftol, job.gtol, job.max_iter, job.absolute_sigma = options
        job.scaled = scaled
        job.theta = views.take(out["theta"], real, BP, True)
        job.covariance = views.take(out["covariance"], real, times(B, F * (F + 1) // 2), True)
        job.chi2 = views.take(out["chi2"], real, B, True)
        job.n_iter = <int32_t *> views.take(out["n_iter"], c"i", B, True)
        job.n_used = <int64_t *> views.take(out["n_used"], INT64, B, True)
        job.status = <int8_t *> views.take(out["status"], c"b", B, True)
        job.detail = <int32_t *> views.take(out["detail"], c"i", B, True)
        job.most_attempts = attempts
        if attempts > 1:
            job.next = <int8_t *> views.take(out["next"], c"b", B, True)
            job.attempts = <int8_t *> views.take(out["attempts"], c"b", B, True)
        self.take_linear(tuple(linear))

    cdef int take_linear(self, tuple linear) except -1:
        """The parameters that the model is linear in together."""
        cdef Py_ssize_t k, n = len(linear)
        self.linear = Memory(n, sizeof(int32_t))
        cdef int32_t *places = <int32_t *> self.linear.at
        for k in range(n):
            places[k] = linear[k]
            if not (places[k - 1] if k else -1) < places[k] < self.job.tape.n_free:
                raise ValueError("the linear parameters must be ascending places of free ones")
        self.job.linear, self.job.n_linear = places, <int32_t> n
        return 0

    def run(self, int threads=0, progress=None):
        """Fit; return whether all fits were run.  An exception of ``progress``, or Ctrl-C, is in
        the returned watch as ``error``."""
        if self.tape.tape.output == NULL:
            raise ValueError("the tape has no code")
        # once: another thread may change the settings
        cdef const c.tw_engine *engine = active(self.job.is_float).engine
        cdef int n_threads = threads_of(threads)
        cdef Watch watch = Watch(progress)
        cdef Memory work = Memory(engine.fit_work(&self.job, n_threads), 1)
        with nogil:
            engine.fit(&self.job, n_threads, work.at, &watch.watch, &watch.done)
        return watch

    def again(self, which, Tape curved, int threads=0, progress=None):
        """Try the fits ``which`` (int64, ascending) again, as `run` advised in ``next``.

        ``curved`` is the tape of second derivatives, or None; see `again` in csrc/fit/contract.h.
        """
        cdef Py_ssize_t n = len(which), k
        cdef Views views = Views(1)
        cdef const Py_ssize_t *fits = <const Py_ssize_t *> views.take(which, INT64, n, False)
        if self.job.next == NULL or self.job.attempts == NULL:
            raise ValueError("the job has no place for later attempts")
        for k in range(n):
            if not (fits[k - 1] if k else -1) < fits[k] < self.job.n_fits:
                raise ValueError("the fits to try again must be ascending and of the job")
            if self.job.next[fits[k]] <= 0:
                raise ValueError(f"fit {fits[k]} is not to be tried again")
        self.refuse_curved(curved)
        self.curved, self.job.curved = curved, NULL
        if curved is not None:
            self.job.curved = &curved.tape
        return self.try_again(fits, n, threads_of(threads), Watch(progress))

    cdef Watch try_again(self, const Py_ssize_t *fits, Py_ssize_t n, int threads, Watch watch):
        """Run later attempts of n fits in workspace of their own."""
        cdef const c.tw_engine *engine = active(self.job.is_float).engine
        cdef Memory work = Memory(engine.again_work(&self.job, n, threads), 1)
        with nogil:
            engine.again(&self.job, fits, n, threads, work.at, &watch.watch, &watch.done)
        return watch

    @property
    def unsettled(self):
        """Whether later attempts of fit 0 may do better, for a model that Python evaluates."""
        return self.job.next != NULL and self.job.next[0] > 0

    def again_called(self, evaluate, trial):
        """Try fit 0 again; ``evaluate(trial)`` gives f (N,) and J (N, F), trial being (P,)."""
        if not self.unsettled:
            raise ValueError("the fit is not to be tried again")
        cdef Called called = Called(self, evaluate, trial)
        cdef Watch watch = Watch(None)
        cdef Py_ssize_t fit = 0
        self.job.call, self.job.context = call_model, <void *> called
        try:
            self.try_again(&fit, 1, 1, watch)
        finally:
            self.job.call, self.job.context = NULL, NULL
        if called.error is not None:
            raise called.error
        if watch.error is not None:
            raise watch.error

    cdef int refuse_curved(self, Tape curved) except -1:
        """A tape of second derivatives must have the sizes of the job's own."""
        cdef const c.tw_tape *t = self.job.tape
        if curved is None:
            return 0
        if (curved.tape.output == NULL or curved.tape.n_x != t.n_x
                or curved.tape.n_theta != 2 * t.n_theta or curved.tape.n_free != t.n_free + 1):
            raise ValueError("the tape of second derivatives does not fit the job's")
        refuse_giant(&curved.tape, self.job.n_points)
        return 0


cdef class Called:
    """A model that Python evaluates, as the engine calls it."""

    cdef Job job
    cdef object evaluate, trial, error

    def __cinit__(self, Job job not None, evaluate, trial):
        self.job, self.evaluate, self.trial, self.error = job, evaluate, trial, None

    cdef int answer(self, const void *theta, void *f, void *J) except -1:
        """Write value and derivatives at theta."""
        cdef Py_ssize_t N = self.job.job.n_points, F = self.job.tape.tape.n_free
        cdef Py_ssize_t P = self.job.tape.tape.n_theta
        cdef size_t size = sizeof(float) if self.job.job.is_float else sizeof(double)
        cdef char real = c"f" if self.job.job.is_float else c"d"
        cdef Views views = Views()
        memcpy(views.take(self.trial, real, P, True), theta, P * size)
        value, jacobian = self.evaluate(self.trial)
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

    ``trial`` is where the model is wanted next; `next` takes its values and derivatives there.
    """

    cdef Job job
    cdef const c.tw_engine *engine
    cdef Memory work
    cdef readonly object trial
    cdef readonly bint done

    def __cinit__(self, Job job not None, trial):
        cdef char real = c"f" if job.job.is_float else c"d"
        cdef Views views = Views()
        cdef void *target = views.take(trial, real, job.tape.tape.n_theta, True)
        if job.job.n_fits < 1:
            raise ValueError("the job has no fit")
        self.job, self.trial, self.engine = job, trial, active(job.job.is_float).engine
        self.work = Memory(self.engine.trial_work(&job.job), 1)
        self.done = self.engine.trial_begin(&job.job, self.work.at, target) != 0

    def next(self, f, J):
        """Judge the trial by f (N,) and J (N, F); return whether the fit has ended."""
        cdef Py_ssize_t N = self.job.job.n_points, F = self.job.tape.tape.n_free
        cdef char real = c"f" if self.job.job.is_float else c"d"
        cdef Views views = Views()
        cdef void *value = views.take(f, real, N, False)
        cdef void *jacobian = views.take(J, real, times(N, F), False)
        cdef void *target = views.take(self.trial, real, self.job.tape.tape.n_theta, True)
        if self.done:
            raise ValueError("the fit has ended")
        cdef void *work = self.work.at
        with nogil:
            self.done = self.engine.trial_next(&self.job.job, work, value, jacobian, target) != 0
        return self.done


def evaluate(Tape tape not None, bint is_float, Py_ssize_t n_points, x, theta, out):
    """Write f and its derivatives, (1 + F, N), at one theta (P,); x is a sequence of (N,)."""
    x = list(x)
    evaluate_rows(tape, is_float, 1, n_points, x, [0] * len(x), theta, out)


def evaluate_rows(Tape tape not None, bint is_float, Py_ssize_t n_rows, Py_ssize_t n_points, x,
                  steps, theta, out):
    """Write the same for every row of theta (rows, P), (rows, 1 + F, N).

    An array of x has (N,) elements where its step is 0, and a row of its own for each, (rows, N),
    where it is 1.
    """
    x, steps = list(x), list(steps)
    cdef char real = c"f" if is_float else c"d"
    cdef Py_ssize_t size = sizeof(float) if is_float else sizeof(double)
    cdef Py_ssize_t k, row, n_x = len(x), n_theta = tape.tape.n_theta
    cdef Py_ssize_t n_out = times(1 + <Py_ssize_t> tape.tape.n_free, n_points)
    cdef Views views = Views(n_x + 4)
    if tape.tape.output == NULL or n_x != tape.tape.n_x or len(steps) != n_x:
        raise ValueError("the arrays do not fit the tape")
    refuse_giant(&tape.tape, n_points)
    # where the points of each array are, and bytes from a row's points to the next one's
    cdef Memory places = Memory(n_x, sizeof(void *)), rows = Memory(n_x, sizeof(Py_ssize_t))
    cdef const void **pointers = <const void **> places.at
    cdef Py_ssize_t *strides = <Py_ssize_t *> rows.at
    for k in range(n_x):
        strides[k] = n_points * size if steps[k] else 0
        pointers[k] = views.take(x[k], real, times(n_points, n_rows if steps[k] else 1), False)
    cdef const c.tw_engine *engine = active(is_float).engine
    cdef char *parameters = <char *> views.take(theta, real, times(n_rows, n_theta), False)
    cdef char *target = <char *> views.take(out, real, times(n_rows, n_out), True)
    cdef Memory work = Memory(engine.tape_work(&tape.tape, n_points), 1)
    cdef Py_ssize_t unseen = 0
    with nogil:
        for row in range(n_rows):
            engine.tape_run(&tape.tape, n_points, pointers, parameters + row * n_theta * size,
                            work.at, target + row * n_out * size)
            for k in range(n_x):
                pointers[k] = <const char *> pointers[k] + strides[k]
            unseen += n_out
            if unseen >= POINTS_UNSEEN:
                unseen = 0
                with gil:
                    PyErr_CheckSignals()

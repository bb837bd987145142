"""The C library seen from Python: which kernels this processor can run, how many threads, Ctrl-C.

This is the one module that links the library, so that its thread pool and its choice of instruction
set exist once.  The others `cimport` from it, and reach every kernel through the tables that
`active` gives.
"""
import os

from cpython.contextvars cimport PyContextVar_New, PyContextVar_Set, get_value
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uintptr_t

from thalweg._core cimport thalweg_h as c

cdef double POLL_INTERVAL = 0.05  # seconds between looks at Ctrl-C and calls of `progress`


def operations():
    """Return the operations of a tape, by number, as ``(name, arity)``."""
    cdef const char *name
    cdef int arity
    found = []
    while (arity := c.tw_operation(len(found), &name)):
        found.append((name.decode(), arity))
    return found


def own_functions():
    """Return the functions that a tape calls by address: ``{name: (address, arity)}``."""
    return {"gammainc_slope": (<uintptr_t> &c.tw_gammainc_slope, 2)}


# ---- instruction sets and threads ------------------------------------------------------------

cdef object refused = None  # why no kernel may be used: THALWEG_SIMD names one that is not there


cdef const c.tw_kernels *active(int is_float) except NULL:
    """The kernels in use, for double or for float."""
    if refused is not None:
        raise ValueError(refused)
    return c.tw_active(is_float)


cdef object limit = PyContextVar_New("thalweg.threads", NULL)  # no limit while it is not set


cdef int threads_of(int threads) except -1:
    """How many threads a call may use that asks for ``threads``; 0 asks for the usual number.

    Inside a public function that was told how many threads to use (`limit_threads`), that number is
    the usual one, and no call gets more.
    """
    most = get_value(limit)
    if most is None:
        return threads if threads > 0 else c.tw_threads()
    return min(threads, <int> most) if threads > 0 else <int> most


def limit_threads(int threads):
    """Let no call of this context use more threads than this, nor than were allowed before.

    Returns a token, with which ``token.var.reset(token)`` takes the limit back.
    """
    most = get_value(limit)
    return PyContextVar_Set(limit, threads if most is None else min(threads, most))


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
    cdef const char *wanted = NULL
    if name is not None:
        wanted = text
    if c.tw_select(wanted):
        raise ValueError(
            f"instruction set {name!r} is not available here; this processor runs "
            + ", ".join(variants())
        )
    refused = None


def get_num_threads():
    """Return how many threads a call in this context uses when it is not told."""
    return threads_of(0)


def set_num_threads(int n):
    """Set how many threads a call uses when it is not told; 0 takes the setting back."""
    c.tw_set_threads(n)


try:
    if os.environ.get("THALWEG_SIMD"):  # if it is not set, C takes the best when it is first asked
        select_variant(os.environ["THALWEG_SIMD"])
except ValueError as error:  # raised by the first call that computes, so that the import succeeds
    refused = f"THALWEG_SIMD: {error}"


# ---- watching a job --------------------------------------------------------------------------

cdef class Watch:
    """Looks for Ctrl-C while C code runs, and calls ``progress(done)``; a true value of it, Ctrl-C
    or an exception ends the job."""

    def __cinit__(self, progress=None):
        self.progress = progress
        self.watch.poll = poll
        self.watch.context = <void *> self
        self.watch.interval = POLL_INTERVAL

    @property
    def stopped(self):
        """Whether the job was told to stop."""
        return self.watch.stop != 0

    cdef int raise_caught(self) except -1:
        """Raise what ended the job early, if anything: Ctrl-C, or an exception of ``progress``."""
        if self.error is not None:
            raise self.error
        return 0


cdef int poll(void *context) noexcept with gil:
    cdef Watch self = <Watch> context
    if self.watch.stop:  # the job is to stop already, though some threads have not seen it yet
        return 1
    try:
        PyErr_CheckSignals()
        return self.progress is not None and bool(self.progress(self.done))
    except BaseException as error:
        self.error = error
        return 1

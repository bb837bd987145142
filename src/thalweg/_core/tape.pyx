"""Tapes: programs that compute a model and its derivatives.

Arrays are raw buffers (buffers.pyx), of the element type asked for and of exactly the sizes that
follow from the tape.  That, and the check of each instruction here, is all that memory safety
needs.
"""
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT32_MAX, int32_t, int64_t
from libc.stdlib cimport calloc, free

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport MOST, Memory, Views, Workspace, times
from thalweg._core.dispatch cimport active
from thalweg._core.operations cimport arity_of, functions

cdef enum:
    MOST_SLOTS = 0x7FFFFFF  # slots of a tape: C counts their lanes, 16 of floats, in 32 bits

cdef Py_ssize_t POINTS_UNSEEN = 1 << 20  # values computed between two looks for Ctrl-C: some ms


cdef class Tape:
    """A program of three stages; see ``tw_tape`` in csrc/thalweg.h.

    Parameters are the fields of ``tw_tape``: counts, ``code`` as rows ``(op, out, in, in, in)`` in
    the order x stage, theta stage, block stage with ``n_code`` their lengths, and ``output``.
    """

    def __cinit__(self, int n_theta, int n_x, constants, n_slots, code, n_code, free_theta, output):
        # copied to lists, whose lengths can be trusted
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
            free_theta=self.indices, functions=functions(), output=outputs,
        )
        check_program(&self.tape)

    def __dealloc__(self):
        free(self.code)
        free(self.constants)
        free(self.indices)

    @property
    def sizes(self):
        """How many slots and instructions each stage has, to be read by people: no code uses it."""
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
    if results > t.n_lane or t.n_x > t.n_point or min(t.n_theta, t.n_x, t.n_block) < 0:
        raise ValueError("there are fewer slots than constants, parameters and x inputs need")
    if end > MOST_SLOTS:
        raise OverflowError(f"{end} slots are more than the {MOST_SLOTS} that C can count")
    for i in range(n_code):
        if not arity_of(t.code[i].op):
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

    A point has a number for each slot.  Beside the points there are triangles of F parameters, for
    every lane and for every chunk of points; a chunk has at least a thousand points.
    """
    cdef Py_ssize_t numbers = <Py_ssize_t> t.n_lane + t.n_point + t.n_block + 2
    numbers += (<Py_ssize_t> t.n_free + 2) * (<Py_ssize_t> t.n_free + 2)
    if n_points > MOST // 4096 // numbers - 1024:
        raise MemoryError(f"{n_points} points need more memory than there are addresses")
    return 0


def evaluate(Tape tape not None, bint is_float, Py_ssize_t n_points, x, theta, out):
    """Write f and its derivatives at one theta (P,) to out (1 + F, N); x holds arrays (N,)."""
    x = list(x)
    evaluate_rows(tape, is_float, 1, n_points, x, [0] * len(x), theta, out)


def evaluate_rows(Tape tape not None, bint is_float, Py_ssize_t n_rows, Py_ssize_t n_points, x,
                  steps, theta, out):
    """Write the same for every row of theta (rows, P) to out (rows, 1 + F, N).

    An array of x whose step is 0 has shape (N,) and is shared by all rows; one whose step is 1 has
    shape (rows, N).
    """
    x, steps = list(x), list(steps)
    cdef char real = c"f" if is_float else c"d"
    cdef Py_ssize_t size = sizeof(float) if is_float else sizeof(double)
    cdef Py_ssize_t k, row, n_x = len(x), n_theta = tape.tape.n_theta
    cdef Py_ssize_t n_out = times(1 + <Py_ssize_t> tape.tape.n_free, n_points)
    cdef Views views = Views(n_x + 4)
    if tape.tape.output == NULL or n_x != tape.tape.n_x or len(steps) != n_x:
        raise ValueError("the arrays do not fit the tape, which reads one for each of its x")
    refuse_giant(&tape.tape, n_points)
    # the address of each array, and the number of bytes from one row of it to the next
    cdef Memory places = Memory(n_x, sizeof(void *)), rows = Memory(n_x, sizeof(Py_ssize_t))
    cdef const void **pointers = <const void **> places.at
    cdef Py_ssize_t *strides = <Py_ssize_t *> rows.at
    for k in range(n_x):
        strides[k] = n_points * size if steps[k] else 0
        pointers[k] = views.take(x[k], real, times(n_points, n_rows if steps[k] else 1), False)
    cdef const c.tw_engine *engine = active(is_float).engine
    cdef char *parameters = <char *> views.take(theta, real, times(n_rows, n_theta), False)
    cdef char *target = <char *> views.take(out, real, times(n_rows, n_out), True)
    cdef Workspace memory = Workspace()
    cdef void *work = memory.of(engine.tape_work(&tape.tape, n_points))
    cdef Py_ssize_t unseen = 0
    with nogil:
        for row in range(n_rows):
            engine.tape_run(&tape.tape, n_points, pointers, parameters + row * n_theta * size,
                            work, target + row * n_out * size)
            for k in range(n_x):
                pointers[k] = <const char *> pointers[k] + strides[k]
            unseen += n_out
            if unseen >= POINTS_UNSEEN:
                unseen = 0
                with gil:
                    PyErr_CheckSignals()

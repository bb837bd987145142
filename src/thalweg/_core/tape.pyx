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
from thalweg._core.operations cimport functions, is_instruction

cdef enum:
    MOST_SLOTS = 0x7FFFFFF  # slots of a tape: C counts their lanes, 16 of floats, in 32 bits

cdef Py_ssize_t POINTS_UNSEEN = 1 << 20  # values computed between two looks for Ctrl-C: some ms


cdef class Curves:
    """The sections of a tape whose points mix, and what they need; see csrc/tape/contract.h.

    Parameters
    ----------
    n_points : int
        N of the data sets for which the tape is.
    sections : sequence of tuple
        The fields of each ``tw_section``.
    mixes : sequence of tuple
        The fields of each ``tw_mix``.
    curves : sequence of tuple
        For each curve slot its number of points, and its table or -1.
    tables : sequence of tuple
        For each table kind, n_in, n_out, offset, its numbers as float64 and as float32.
    """

    cdef Py_ssize_t n_points, n_sections, n_mixes, n_curves, n_tables
    cdef Memory section_memory, mix_memory, points_memory, fixed_memory, table_memory
    cdef Views views  # of the numbers of the tables

    def __cinit__(self, n_points, sections, mixes, curves, tables):
        sections, mixes, curves, tables = map(list, (sections, mixes, curves, tables))
        self.n_points = n_points
        self.n_sections, self.n_mixes = len(sections), len(mixes)
        self.n_curves, self.n_tables = len(curves), len(tables)
        self.section_memory = Memory(self.n_sections, sizeof(c.tw_section))
        self.mix_memory = Memory(self.n_mixes, sizeof(c.tw_mix))
        self.points_memory = Memory(self.n_curves, sizeof(int64_t))
        self.fixed_memory = Memory(self.n_curves, sizeof(int32_t))
        self.table_memory = Memory(self.n_tables, sizeof(c.tw_table))
        self.views = Views(2 * self.n_tables)
        cdef Py_ssize_t k
        cdef c.tw_section *section = <c.tw_section *> self.section_memory.at
        cdef c.tw_mix *mix = <c.tw_mix *> self.mix_memory.at
        cdef int64_t *points = <int64_t *> self.points_memory.at
        cdef int32_t *fixed = <int32_t *> self.fixed_memory.at
        for k in range(self.n_sections):
            (section[k].n_points, section[k].n_lane_code, section[k].n_block_code,
             section[k].n_store_code, section[k].n_mixes) = sections[k]
        for k in range(self.n_mixes):
            mix[k].table, mix[k].inputs, mix[k].out, mix[k].shift = mixes[k]
        for k in range(self.n_curves):
            points[k], fixed[k] = curves[k]
        for k in range(self.n_tables):
            self.take(<c.tw_table *> self.table_memory.at + k, tables[k])

    cdef int take(self, c.tw_table *table, row) except -1:
        table.kind, table.n_in, table.n_out, table.offset, values, floats = row
        table.n_values = len(values)
        table.values = <const double *> self.views.take(values, c"d", table.n_values, False)
        table.floats = <const float *> self.views.take(floats, c"f", table.n_values, False)
        check_table(table)
        return 0

    cdef int write(self, c.tw_tape *t) except -1:
        """Set the fields of a tape."""
        t.n_points, t.n_sections, t.n_curve = self.n_points, self.n_sections, self.n_curves
        t.sections = <const c.tw_section *> self.section_memory.at
        t.mixes = <const c.tw_mix *> self.mix_memory.at
        t.curve_points = <const int64_t *> self.points_memory.at
        t.curve_table = <const int32_t *> self.fixed_memory.at
        t.tables = <const c.tw_table *> self.table_memory.at
        return 0


cdef int check_table(const c.tw_table *t) except -1:
    """Refuse a table that would be read beyond its numbers."""
    cdef int64_t wanted = 0
    if t.kind == c.TW_TABLE_CURVE:
        wanted = t.n_out
    elif t.kind == c.TW_TABLE_BAND:
        wanted = max(t.n_values, 1)
    elif t.kind == c.TW_TABLE_DENSE:
        wanted = times(t.n_in, t.n_out)
    elif t.kind == c.TW_TABLE_LINES:
        wanted = 2 * t.n_in + 2
    elif t.kind == c.TW_TABLE_STEPS:
        wanted = 2 * t.n_in + 1
    elif not c.TW_TABLE_CURVE <= t.kind <= c.TW_TABLE_STEPS:
        raise ValueError(f"there is no table of kind {t.kind}")
    if t.n_values != wanted or min(t.n_in, t.n_out) < 0 or max(t.n_in, t.n_out) > MOST // 4096:
        raise ValueError("a table does not have the numbers of its size")
    if t.kind == c.TW_TABLE_SUMS and t.n_out > t.n_in:
        raise ValueError("running sums have no more points than what they sum")
    if abs(t.offset) > MOST // 4096 or (t.kind >= c.TW_TABLE_LINES and t.n_in < 1):
        raise ValueError("a table has an offset, or knots, that cannot be")
    return 0


cdef class Tape:
    """A program of three stages; see ``tw_tape`` in csrc/thalweg.h.

    Parameters are the fields of ``tw_tape``: counts, ``code`` as rows ``(op, out, in, in, in)`` in
    the order x stage, theta stage, block stage with ``n_code`` their lengths, and ``output``.
    ``curves`` is None unless points mix; the code of its sections follows that of the stages.
    """

    def __cinit__(self, int n_theta, int n_x, constants, n_slots, code, n_code, free_theta, output,
                  Curves curves=None):
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
        if min(lengths) < 0 or sum(lengths) + code_of_sections(curves) != len(code):
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
            n_points=0, n_sections=0, n_curve=0, sections=NULL, mixes=NULL, curve_points=NULL,
            curve_table=NULL, tables=NULL,
        )
        self.curves = curves
        if curves is not None:
            curves.write(&self.tape)
        check_program(&self.tape, curves)

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
            "sections": self.tape.n_sections,
            "curve_slots": self.tape.n_curve,
        }


cdef Py_ssize_t code_of_sections(Curves curves) except -1:
    """How many instructions the sections have."""
    cdef Py_ssize_t n = 0, k
    cdef const c.tw_section *s
    for k in range(0 if curves is None else curves.n_sections):
        s = <const c.tw_section *> curves.section_memory.at + k
        if min(s.n_lane_code, s.n_block_code, s.n_store_code) < 0:
            raise ValueError("a section has no such code")
        n += <Py_ssize_t> s.n_lane_code + s.n_block_code + s.n_store_code
    return n


cdef enum:  # the stages, by the slots that their code writes
    OF_LANES
    OF_POINTS
    OF_BLOCK
    OF_CURVES


cdef int check_program(const c.tw_tape *t, Curves curves) except -1:
    """Refuse a program that would read or write outside its slots."""
    cdef int64_t results = <int64_t> t.n_const + t.n_theta, points = t.n_lane
    cdef int64_t blocks = points + t.n_point, end = blocks + t.n_block
    cdef int32_t k
    cdef Py_ssize_t first
    if results > t.n_lane or t.n_x > t.n_point or min(t.n_theta, t.n_x, t.n_block) < 0:
        raise ValueError("there are fewer slots than constants, parameters and x inputs need")
    if end + t.n_curve > MOST_SLOTS:
        raise OverflowError(f"{end} slots are more than the {MOST_SLOTS} that C can count")
    first = check_code(t, curves, 0, t.n_point_code, OF_POINTS, t.n_points)
    first = check_code(t, curves, first, t.n_lane_code, OF_LANES, t.n_points)
    first = check_code(t, curves, first, t.n_block_code, OF_BLOCK, t.n_points)
    if curves is not None:
        check_sections(t, curves, first)
    for k in range(t.n_free):
        if not 0 <= t.free_theta[k] < t.n_theta:
            raise ValueError(f"there is no parameter {t.free_theta[k]}")
    for k in range(t.n_free + 1 if t.output != NULL else 0):
        if not (0 <= t.output[k] < points or blocks <= t.output[k] < end):
            raise ValueError(f"output {k} must be a slot of the theta or the block stage")
    return 0


cdef Py_ssize_t check_code(const c.tw_tape *t, Curves curves, Py_ssize_t first, Py_ssize_t n,
                           int stage, int64_t n_points) except -1:
    """Check n instructions of a stage that runs over so many points; return where the next are."""
    cdef int64_t results = <int64_t> t.n_const + t.n_theta, points = t.n_lane, slot
    cdef int64_t blocks = points + t.n_point, end = blocks + t.n_block
    cdef Py_ssize_t i
    cdef int k
    cdef bint good, looks_up
    for i in range(first, first + n):
        looks_up = t.code[i].op == c.TW_LOOKUP
        if not is_instruction(t.code[i].op):
            raise ValueError(f"no operation has number {t.code[i].op}")
        if looks_up:
            check_number_of_table(curves, t.code[i].inputs[1], c.TW_TABLE_LINES, c.TW_TABLE_STEPS)
        slot = t.code[i].out
        if stage == OF_POINTS:
            good = points + t.n_x <= slot < blocks
        elif stage == OF_LANES:
            good = results <= slot < points
        elif stage == OF_BLOCK:
            good = blocks <= slot < end
        else:
            good = is_curve(t, slot, n_points)
        for k in range(1 if looks_up else 3):
            slot = t.code[i].inputs[k]
            if stage == OF_POINTS:
                good = good and (0 <= slot < t.n_const or points <= slot < blocks)
            elif stage == OF_LANES:
                good = good and 0 <= slot < points
            else:
                good = good and (0 <= slot < points or blocks <= slot < end
                                 or (points <= slot < blocks and n_points == t.n_points)
                                 or is_curve(t, slot, n_points))
        if not good:
            raise ValueError(f"instruction {i} uses a slot that is not of its stage")
    return first + n


cdef bint is_curve(const c.tw_tape *t, int64_t slot, int64_t n_points) noexcept:
    """Whether a slot is that of a curve of so many points."""
    cdef int64_t first = <int64_t> t.n_lane + t.n_point + t.n_block
    return first <= slot < first + t.n_curve and t.curve_points[slot - first] == n_points


cdef int check_number_of_table(Curves curves, int64_t k, int least, int most) except -1:
    """Refuse a number that is not that of a table of these kinds."""
    if curves is None or not 0 <= k < curves.n_tables:
        raise ValueError(f"there is no table {k}")
    if not least <= (<const c.tw_table *> curves.table_memory.at)[k].kind <= most:
        raise ValueError(f"table {k} is of another kind")
    return 0


cdef int check_sections(const c.tw_tape *t, Curves curves, Py_ssize_t first) except -1:
    """Check the sections, whose code begins at ``first``, their mixes and curves."""
    cdef const c.tw_section *s
    cdef const c.tw_mix *mix = t.mixes
    cdef int32_t k
    cdef Py_ssize_t left = curves.n_mixes
    for k in range(t.n_curve):
        if t.curve_table[k] >= 0:
            check_number_of_table(curves, t.curve_table[k], c.TW_TABLE_CURVE, c.TW_TABLE_CURVE)
            if t.tables[t.curve_table[k]].n_out != t.curve_points[k]:
                raise ValueError(f"curve {k} has another number of points than its table")
        if t.curve_points[k] < 1 or t.n_points < 1:
            raise ValueError("a curve must have points")
    for k in range(t.n_sections):
        s = t.sections + k
        first = check_code(t, curves, first, s.n_lane_code, OF_LANES, s.n_points)
        first = check_code(t, curves, first, s.n_block_code, OF_BLOCK, s.n_points)
        first = check_code(t, curves, first, s.n_store_code, OF_CURVES, s.n_points)
        left -= s.n_mixes
        if left < 0 or s.n_mixes < 0 or s.n_points < 1:
            raise ValueError("there are fewer mixes than the sections have")
        for _ in range(s.n_mixes):
            check_mix(t, curves, mix)
            mix += 1
    return 0


cdef int check_mix(const c.tw_tape *t, Curves curves, const c.tw_mix *mix) except -1:
    check_number_of_table(curves, mix.table, c.TW_TABLE_BAND, c.TW_TABLE_SLOPE)
    cdef const c.tw_table *table = t.tables + mix.table
    cdef bint good = is_curve(t, mix.inputs, table.n_in) and 0 <= mix.shift < t.n_lane
    if table.kind == c.TW_TABLE_TOTAL:
        good = good and <int64_t> t.n_const + t.n_theta <= mix.out < t.n_lane
    else:
        good = good and is_curve(t, mix.out, table.n_out) and mix.out != mix.inputs
    if not good:
        raise ValueError("a mix uses a slot that is not one of its curves")
    return 0


cdef int refuse_giant(const c.tw_tape *t, Py_ssize_t n_points) except -1:
    """Refuse a job whose workspace, counted in bytes, would overflow.

    A point has a number for each slot.  Beside the points there are triangles of F parameters, for
    every lane and for every chunk of points; a chunk has at least a thousand points.
    """
    cdef Py_ssize_t numbers = <Py_ssize_t> t.n_lane + t.n_point + t.n_block + 2
    numbers += (<Py_ssize_t> t.n_free + 2) * (<Py_ssize_t> t.n_free + 2)
    cdef Py_ssize_t longest = n_points
    cdef int32_t k
    for k in range(t.n_curve):
        longest = max(longest, t.curve_points[k])
    numbers += t.n_curve
    if t.n_points and n_points != t.n_points:
        raise ValueError(f"this tape is for data sets of {t.n_points} points, got {n_points}")
    if longest > MOST // 4096 // numbers - 1024:
        raise MemoryError(f"{longest} points need more memory than there are addresses")
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

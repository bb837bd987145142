"""Lower an expression graph to the flat program that csrc/tape/run.h runs.

Every node goes to the stage in which it is needed least often: what depends on x alone is computed
once per data set, what depends on theta alone once per evaluation, the rest once per point and
evaluation.  Constants and parameters are slots of the theta stage.  In the block stage a product
that only one sum uses becomes one fused instruction.  Slots of points are given back after their
last use, so that a block of points stays in the first cache, and that the x stage keeps only what
the block stage reads.
"""
cimport cython
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t

from thalweg._core.graph cimport CONST, ON_BOTH, ON_THETA, ON_X, Graph, Node, Walk
from thalweg._core.thalweg_h cimport ADD, COPY, FMA, FMS, FNMA, MUL, SQUARE, SUB

from thalweg._core.tape import Tape

cdef enum:
    FOR_EVER = -1  # stands for the last user of a value whose slot must not be used again


def lower(Graph graph not None, outputs, free):
    """Return the tape whose outputs are nodes ``outputs``: f, then one per parameter ``free``."""
    outputs = [int(i) for i in outputs]
    # an output of the x stage is copied to where the engine reads outputs
    copies = sorted({i for i in outputs if graph.stage(i) == ON_X})
    fields, slots = lay_out(graph, outputs, copies)
    return Tape(**fields, free_theta=tuple(free), output=slots)


def lower_slots(Graph graph not None, outputs):
    """Return a tape without outputs that computes nodes ``outputs``, and the slot of each."""
    fields, slots = lay_out(graph, [int(i) for i in outputs], [])
    return Tape(**fields, free_theta=(), output=()), slots


def lay_out(Graph graph not None, list outputs, list copies):
    """The fields of a tape without outputs, and the slots of the outputs.

    ``copies`` are nodes whose values are copied to block slots at the end.
    """
    cdef Program program
    with cython.critical_section(graph):
        program = Program(graph, outputs)
    constants = program.place_constants()
    cdef int n_theta = graph.n_theta, n_x = graph.n_x, i
    cdef int first_lane = len(constants) + n_theta
    for i in range(n_theta):
        program.slot[graph.theta(i)] = len(constants) + i
    cdef int n_lane = first_lane + program.number(ON_THETA, first_lane)
    for i in range(n_x):
        program.slot[graph.x(i)] = n_lane + i
    cdef int n_point = n_x + program.allocate(ON_X, n_lane + n_x)
    cdef int n_block = program.allocate(ON_BOTH, n_lane + n_point)
    point, lane, block = [program.rows(stage) for stage in (ON_X, ON_THETA, ON_BOTH)]
    copied = {i: n_lane + n_point + n_block + k for k, i in enumerate(copies)}
    for i, to in copied.items():
        block.append((COPY, to, program.slot[i], program.slot[i], program.slot[i]))
    fields = dict(
        n_theta=n_theta,
        n_x=n_x,
        constants=constants,
        n_slots=(n_lane, n_point, n_block + len(copied)),
        code=point + lane + block,
        n_code=(len(point), len(lane), len(block)),
    )
    return fields, [copied.get(i, program.slot[i]) for i in outputs]


cdef class Program:
    """The operations that outputs need, and the slots of their values."""

    cdef Walk walk
    cdef Node *node  # by number; those with nothing to run (leaves, fused products) get arity 0
    cdef int32_t *slot  # of each node
    cdef int32_t *user  # of each node: how many nodes use it; in `allocate`, the last that does
    cdef int32_t *idle  # slots that may be used again

    def __cinit__(self, Graph graph not None, outputs):
        cdef Py_ssize_t n
        cdef int k
        self.walk = Walk(graph, outputs)
        self.node = <Node *> PyMem_Calloc(graph.size, sizeof(Node))
        self.slot = <int32_t *> PyMem_Calloc(graph.size, 3 * sizeof(int32_t))
        if self.node == NULL or self.slot == NULL:
            raise MemoryError
        self.user = self.slot + graph.size
        self.idle = self.user + graph.size
        for n in range(self.walk.n):
            i = self.walk.order[n]
            self.node[i] = graph.at[i]
            for k in range(self.node[i].arity):
                self.user[self.node[i].ids[k]] += 1
        for n in range(self.walk.n_outputs):
            self.user[self.walk.outputs[n]] += 1
        for n in range(self.walk.n):
            self.fuse(&self.node[self.walk.order[n]])

    def __dealloc__(self):
        PyMem_Free(self.node)
        PyMem_Free(self.slot)

    cdef void fuse(self, Node *sum) noexcept:
        """Fuse a sum with its first operand that is a product and that nothing else uses."""
        cdef int place
        cdef Node *product
        if sum.depends != ON_BOTH or not (sum.op == ADD or sum.op == SUB):
            return
        for place in range(2):
            product = &self.node[sum.ids[place]]
            if product.depends != ON_BOTH or self.user[sum.ids[place]] != 1:
                continue
            if product.op == MUL or product.op == SQUARE:
                sum.op = FMA if sum.op == ADD else FNMA if place else FMS
                sum.ids[2] = sum.ids[1 - place]
                sum.ids[0] = product.ids[0]
                sum.ids[1] = product.ids[product.arity - 1]
                sum.arity, product.arity = 3, 0
                return

    cdef list place_constants(self):
        """Give the constants the first slots; return their values."""
        cdef Py_ssize_t n
        values = []
        for n in range(self.walk.n):
            i = self.walk.order[n]
            if self.node[i].op == CONST:
                self.slot[i] = len(values)
                values.append(self.node[i].value)
        return values

    cdef int number(self, int stage, int first) noexcept:
        """Give each operation of a stage a slot of its own; return how many there are."""
        cdef Py_ssize_t n
        cdef int count = 0
        for n in range(self.walk.n):
            i = self.walk.order[n]
            if self.node[i].depends == stage and self.node[i].arity:
                self.slot[i] = first + count
                count += 1
        return count

    cdef int allocate(self, int stage, int first) noexcept:
        """Give each operation of a stage a slot; return how many they need.

        A slot whose value no later operation of the stage needs, nor one of another stage, nor the
        caller, is used again.
        """
        cdef Py_ssize_t n
        cdef int count = 0, n_idle = 0, i, j, k
        cdef Node *node
        self.find_last_users(stage)
        for n in range(self.walk.n):
            i = self.walk.order[n]
            node = &self.node[i]
            if node.depends != stage or node.arity == 0:
                continue
            for k in range(node.arity):
                j = node.ids[k]
                if self.user[j] == i and self.node[j].depends == stage and self.node[j].arity:
                    self.idle[n_idle] = self.slot[j]
                    n_idle += 1
                    self.user[j] = FOR_EVER  # so that it is given back once, if it is two operands
            if n_idle == 0:
                self.idle[0] = first + count
                n_idle, count = 1, count + 1
            n_idle -= 1
            self.slot[i] = self.idle[n_idle]
        return count

    cdef void find_last_users(self, int stage) noexcept:
        """Set `user` of each value of a stage to the last operation that needs it."""
        cdef Py_ssize_t n
        cdef int i, j, k
        for n in range(self.walk.n):
            i = self.walk.order[n]
            for k in range(self.node[i].arity):
                j = self.node[i].ids[k]
                if self.node[j].depends == stage and self.user[j] != FOR_EVER:
                    self.user[j] = i if self.node[i].depends == stage else FOR_EVER
        for n in range(self.walk.n_outputs):
            self.user[self.walk.outputs[n]] = FOR_EVER

    cdef list rows(self, int stage):
        """The instructions of a stage."""
        cdef Py_ssize_t n
        cdef Node *node
        rows = []
        for n in range(self.walk.n):
            i = self.walk.order[n]
            node = &self.node[i]
            if node.depends == stage and node.arity:
                a = self.slot[node.ids[0]]
                b = self.slot[node.ids[1]] if node.arity > 1 else a
                c = self.slot[node.ids[2]] if node.arity > 2 else a
                rows.append((node.op, self.slot[i], a, b, c))
        return rows

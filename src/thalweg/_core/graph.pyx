"""The nodes of an expression graph: made, simplified and found again.

A node is a row of C numbers.  A hash table with linear probing finds equal ones (hash consing:
Ershov, "On programming of arithmetic operations", Comm. ACM 1 (8), 1958; Filliatre and Conchon,
"Type-safe modular hash-consing", ML Workshop 2006).  The rules that simplify an operation before it
becomes a node are in simplify.pxi; what a node means is said in thalweg.model.graph.
"""
cimport cython
from cpython.mem cimport PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.float cimport DBL_MAX, DBL_MIN
from libc.math cimport NAN, fabs, frexp
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from thalweg._core.operations cimport ARITY, NAMES, OPCODE
from thalweg._core.thalweg_h cimport (
    ABS, ADD, AND, COPY, COS, COSH, DIV, EQUAL, FLOOR, HYPOT, MAXIMUM, MINIMUM, MUL, NEG, NOT,
    NOT_EQUAL, OR, POW, RECIP, SQRT, SQUARE, SUB, TW_FIXED, TW_LOOKUP, TW_TOTAL, WHERE,
)

cdef enum:
    FIRST_SLOTS = 256  # most formulas with their derivatives have fewer than 128 nodes

cdef dict LEAVES = {THETA: "theta", X: "x"}

# ---- sort keys and hashes ----------------------------------------------------------------------

# Commutative operands are put in the order constant, theta only, x only, both; nodes of one kind
# in the order of a hash of their structure, which does not depend on when they were created.  The
# hash is that of CPython's tuples of integers, after xxHash (Collet, https://xxhash.com).
cdef enum:
    HASH_BITS = 60

cdef uint64_t HASH_MASK = (<uint64_t> 1 << HASH_BITS) - 1
cdef uint64_t INTEGERS = (<uint64_t> 1 << 61) - 1
cdef uint64_t PRIME_1 = 11400714785074694791u
cdef uint64_t PRIME_2 = 14029467366897019727u
cdef uint64_t PRIME_5 = 2870177450012600261u
cdef int64_t[4] RANK = [0, <int64_t> 2 << HASH_BITS, <int64_t> 1 << HASH_BITS,
                        <int64_t> 3 << HASH_BITS]


cdef inline uint64_t mixed(uint64_t state, uint64_t number) noexcept nogil:
    state += number * PRIME_2
    return (state << 31 | state >> 33) * PRIME_1


cdef int64_t order_of(const Node *node, const Node *at) noexcept nogil:
    """The sort key of an operation."""
    cdef uint64_t state = mixed(PRIME_5, node.op)
    cdef int k
    for k in range(node.arity):
        state = mixed(state, <uint64_t> at[node.ids[k]].order % INTEGERS)
    state += <uint64_t> (1 + node.arity) ^ PRIME_5 ^ 3527539u
    return RANK[node.depends] + <int64_t> (state & HASH_MASK)


cdef inline Node leaf(int kind, int number, int depends) noexcept nogil:
    cdef Node node
    memset(&node, 0, sizeof(Node))
    node.op, node.ids[0], node.depends = kind, number, depends
    node.order = RANK[depends] + number
    return node


# ---- nodes -------------------------------------------------------------------------------------

cdef class Graph:
    """Nodes over ``n_theta`` parameters and ``n_x`` per-point arrays.

    A subclass has a method ``fold(op, *ids)``, which returns the constant that an operation on
    constants gives.  Threads may share a graph: each method locks it, also where there is no GIL.
    """

    def __cinit__(self, int n_theta, int n_x):
        cdef Node node
        cdef int j
        if min(n_theta, n_x) < 0:
            raise ValueError("the numbers of parameters and of arrays must not be negative")
        self.make_room(FIRST_SLOTS)
        for j in range(n_theta):
            node = leaf(THETA, j, ON_THETA)
            self.append(&node)
        self.n_theta, self.tables = n_theta, None
        for _ in range(n_x):
            self.append_x()

    @cython.critical_section
    def twin(self):
        """Return a graph of the same nodes and rules that grows by itself; it has no tables.

        What is kept in ``compiled`` for nodes below ``n_first``, which all twins have, they share.
        """
        cdef Graph other = type(self)(0, 0)
        other.make_room(self.n_slots)
        memcpy(other.at, self.at, self.size * sizeof(Node))
        memcpy(other.slots, self.slots, self.n_slots * sizeof(int32_t))
        other.size, other.n_theta, other.n_x = self.size, self.n_theta, self.n_x
        other.exact = self.exact
        if self.compiled is None:
            self.compiled, self.n_first = {}, self.size
        other.compiled, other.n_first = self.compiled, self.n_first
        return other

    def __dealloc__(self):
        PyMem_Free(self.at)
        PyMem_Free(self.slots)

    def theta(self, int j):
        """Return the node of parameter j."""
        if not 0 <= j < self.n_theta:
            raise IndexError(f"there is no parameter {j}")
        return j

    @cython.critical_section
    def x(self, int i):
        """Return the node of per-point array i."""
        if not 0 <= i < self.n_x:
            raise IndexError(f"there is no array {i}")
        cdef Node node = leaf(X, i, ON_X)
        return self.slots[self.slot_of(&node)]

    @cython.critical_section
    def append_x(self):
        """Add one more per-point array and return its node."""
        cdef Node node = leaf(X, self.n_x, ON_X)
        self.n_x += 1
        return self.append(&node)

    @cython.critical_section
    def const(self, double value):
        """Return the node of a number."""
        return self.constant(value)

    @cython.critical_section
    def add(self, str op, *ids):
        """Return the node of ``op`` applied to ``ids``, simplified."""
        cdef int32_t i[3]
        cdef int number = self.take(op, ids, i)
        return simplified(self, number, i[0], i[1], i[2])

    @cython.critical_section
    def intern(self, str op, *ids):
        """Return the node of ``op`` applied to ``ids``, not simplified; constants are folded."""
        cdef int32_t i[3]
        cdef int number = self.take(op, ids, i)
        return self.interned(number, i[0], i[1], i[2])

    cdef int constant(self, double value) except -1:
        cdef Node node = leaf(CONST, 0, 0)
        node.value = value + 0.0 if value == value else NAN  # one zero and one NaN, to be found
        cdef int known = self.slots[self.slot_of(&node)]
        if known >= 0:
            return known
        if value == value:
            node.order = <int64_t> (<uint64_t> <Py_ssize_t> hash(value) & HASH_MASK)
        return self.append(&node)

    cdef int interned(self, int op, int a, int b=0, int c=0) except -1:
        cdef Node node
        cdef int k, known
        memset(&node, 0, sizeof(Node))
        node.op, node.arity = op, ARITY[op]
        node.ids[0], node.ids[1], node.ids[2] = a, b, c
        known = self.slots[self.slot_of(&node)]
        if known >= 0:
            return known
        for k in range(node.arity):
            node.depends |= self.at[node.ids[k]].depends
        if TW_FIXED <= op < TW_LOOKUP:
            node.depends = ON_X if op == TW_FIXED else ON_THETA if op == TW_TOTAL else ON_BOTH
        if not node.depends:
            return self.known(self.fold(NAMES[op], *(a, b, c)[:node.arity]))
        node.order = order_of(&node, self.at)
        return self.append(&node)

    cdef int take(self, str op, tuple ids, int32_t *out) except -1:
        """The opcode, and in ``out`` the operands, of a call from Python.

        They are checked, for a wrong operand would be read from memory that holds no node.
        """
        cdef int number = OPCODE[op], k
        if len(ids) != ARITY[number]:
            raise TypeError(f"{op} takes {ARITY[number]} operands, got {len(ids)}")
        for k in range(3):
            out[k] = self.known(ids[k]) if k < ARITY[number] else 0
        return number

    cdef int known(self, object i) except -1:
        cdef int number = i
        if not 0 <= number < self.size:
            raise IndexError(f"there is no node {number}")
        return number

    # ---- the hash table

    cdef Py_ssize_t slot_of(self, const Node *node) noexcept:
        """The slot of an equal node, or the empty slot for this one."""
        cdef uint64_t bits, state
        cdef const Node *other
        memcpy(&bits, &node.value, sizeof(bits))
        state = mixed(mixed(bits, node.op), <uint64_t> node.ids[0] << 32 | <uint64_t> node.ids[1])
        state = mixed(state, node.ids[2])
        cdef Py_ssize_t slot = (state >> 32) & (self.n_slots - 1)
        while self.slots[slot] >= 0:
            other = &self.at[self.slots[slot]]
            if (node.op == other.op and memcmp(node.ids, other.ids, sizeof(node.ids)) == 0
                    and memcmp(&node.value, &other.value, sizeof(double)) == 0):
                break
            slot = (slot + 1) & (self.n_slots - 1)
        return slot

    cdef int append(self, Node *node) except -1:
        if 2 * (self.size + 1) > self.n_slots:
            self.make_room(2 * self.n_slots)
        self.at[self.size] = node[0]
        self.slots[self.slot_of(node)] = self.size
        self.size += 1
        return self.size - 1

    cdef int make_room(self, Py_ssize_t n_slots) except -1:
        cdef void *at = PyMem_Realloc(self.at, n_slots // 2 * sizeof(Node))
        if at != NULL:
            self.at = <Node *> at
        cdef void *slots = PyMem_Realloc(self.slots, n_slots * sizeof(int32_t))
        if slots != NULL:
            self.slots = <int32_t *> slots
        if at == NULL or slots == NULL:
            raise MemoryError
        self.n_slots = n_slots
        memset(slots, -1, n_slots * sizeof(int32_t))
        cdef int i
        for i in range(self.size):
            self.slots[self.slot_of(&self.at[i])] = i
        return 0

    # ---- what others ask

    @cython.critical_section
    def node(self, i):
        """Return node i as a tuple."""
        cdef const Node *node = &self.at[self.known(i)]
        if node.op == CONST:
            return "const", node.value
        if node.arity == 0:
            return LEAVES[node.op], node.ids[0]
        if node.arity == 1:
            return NAMES[node.op], node.ids[0]
        if node.arity == 2:
            return NAMES[node.op], node.ids[0], node.ids[1]
        return NAMES[node.op], node.ids[0], node.ids[1], node.ids[2]

    @cython.critical_section
    def stage(self, i):
        """Return what node i depends on: 1 for x, 2 for theta, 3 for both, 0 for nothing."""
        return self.at[self.known(i)].depends

    @property
    def nodes(self):
        """All nodes as tuples; the list is made anew at each look."""
        return [self.node(i) for i in range(self.size)]

    @property
    def depends(self):
        """`stage` of all nodes; the list is made anew at each look."""
        return [self.at[i].depends for i in range(self.size)]

    @cython.critical_section
    def key(self, outputs):
        """Return a key of the outputs, which is equal for equal formulas, however they are written.

        It is the number of parameters and the nodes that the outputs need, numbered in the order
        in which a depth-first walk finishes them.
        """
        outputs = [int(i) for i in outputs]
        cdef Walk walk = Walk(self, outputs)
        cdef Form *forms = <Form *> PyMem_Malloc((walk.n + 1) * sizeof(Form))
        cdef const Node *node
        cdef Py_ssize_t i, k
        if forms == NULL:
            raise MemoryError
        for i in range(walk.n):
            node = &self.at[walk.order[i]]
            forms[i].op, forms[i].value = node.op, node.value
            for k in range(3):
                forms[i].ids[k] = walk.place[node.ids[k]] if k < node.arity else node.ids[k]
        try:
            written = (<char *> forms)[:walk.n * sizeof(Form)]
        finally:
            PyMem_Free(forms)
        return self.n_theta, written, tuple(walk.place[i] for i in outputs)


cdef struct Form:  # what a key holds of a node
    int32_t op
    int32_t ids[3]
    double value


cdef class Walk:
    """The nodes that outputs need, in the order in which a depth-first walk finishes them."""

    def __cinit__(self, Graph graph not None, outputs):
        outputs = list(outputs)
        cdef Py_ssize_t i, size = graph.size
        self.n_outputs = len(outputs)
        # beside order and place, a stack for `finish`, on which each output and operand is once
        self.memory = PyMem_Malloc((5 * size + 2 * self.n_outputs + 1) * sizeof(int32_t))
        if self.memory == NULL:
            raise MemoryError
        self.order = <int32_t *> self.memory
        self.place = self.order + size
        self.outputs = self.place + size
        memset(self.place, -1, size * sizeof(int32_t))
        for i, output in enumerate(outputs):
            self.outputs[i] = graph.known(output)
        self.finish(graph, self.outputs + self.n_outputs)

    def __dealloc__(self):
        PyMem_Free(self.memory)

    cdef int finish(self, Graph graph, int32_t *stack) noexcept:
        cdef Py_ssize_t top = 0, before
        cdef const Node *node
        cdef int k, i
        for k in range(self.n_outputs):
            stack[top] = self.outputs[self.n_outputs - 1 - k]
            top += 1
        while top:
            i = stack[top - 1]
            node, before = &graph.at[i], top
            if self.place[i] < 0:
                for k in reversed(range(node.arity)):
                    if self.place[node.ids[k]] < 0:
                        stack[top] = node.ids[k]
                        top += 1
            if top > before:
                continue
            top -= 1
            if self.place[i] < 0:
                self.place[i] = self.n
                self.order[self.n] = i
                self.n += 1
        return 0


include "simplify.pxi"

"""The expression graph, for the modules that walk it."""
from libc.stdint cimport int32_t, int64_t

cdef enum:  # the ``op`` of a leaf
    CONST = -1
    THETA = -2
    X = -3

cdef enum:  # stands for no node, as -1 stands for an exception
    NONE = -2

cdef enum:
    ON_X = 1
    ON_THETA = 2
    ON_BOTH = 3

cdef struct Node:
    int32_t op  # the number of the operation, or the kind of a leaf
    int32_t arity  # the number of operands, 0 for a leaf
    int32_t ids[3]  # the operands; for a leaf, the number of its parameter or array; else 0
    int32_t depends  # ON_X, ON_THETA, both or 0
    int64_t order  # the sort key of operands that may be exchanged
    double value  # the value of a constant, else 0

cdef class Graph:
    cdef Node *at
    cdef int32_t *slots  # the hash table: a node or -1; longer than twice the number of nodes
    cdef Py_ssize_t n_slots  # the length of the table, a power of two
    cdef readonly int size  # the number of nodes
    cdef readonly int n_theta
    cdef readonly int n_x
    cdef public object tables  # what operations with a table number mean; None if there are none
    cdef readonly dict compiled  # what was made of the first nodes, which all twins share
    cdef readonly int n_first  # how many these are
    cdef public bint exact  # whether 0 * x is kept, since it is NaN for an infinite x

    cdef int constant(self, double value) except -1
    cdef int interned(self, int op, int a, int b=*, int c=*) except -1
    cdef int append(self, Node *node) except -1
    cdef Py_ssize_t slot_of(self, const Node *node) noexcept
    cdef int make_room(self, Py_ssize_t n_slots) except -1
    cdef int take(self, str op, tuple ids, int32_t *out) except -1
    cdef int known(self, object i) except -1

cdef int simplified(Graph g, int op, int a, int b, int c) except -1

cdef class Walk:
    cdef void *memory
    cdef int32_t *order  # the nodes, operands first
    cdef int32_t *place  # the place of each node in `order`, or -1
    cdef int32_t *outputs
    cdef readonly Py_ssize_t n
    cdef readonly Py_ssize_t n_outputs

    cdef int finish(self, Graph graph, int32_t *stack) noexcept

"""The operations of a tape: those of csrc/tape/operations.h, and functions registered at run time.

An operation has a name, by which graphs know it, and a number, by which tapes do.  A registered
function is an operation with a number of its own: graphs, derivatives and tapes treat it as any
other.  It stays registered as long as the process runs, because a tape may hold its number.
"""
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer
from libc.stdint cimport uintptr_t

from thalweg._core cimport thalweg_h as c

from threading import Lock

from thalweg._core.dispatch import operations

cdef c.tw_function[MOST_OPERATIONS] TABLE  # registered functions, from number TW_FUNCTIONS on
cdef object changing = Lock()
cdef list OWNERS = []  # objects that keep the code of registered functions alive

NAMES = [name for name, _ in operations()]
OPCODE = {name: number for number, name in enumerate(NAMES)}

for number, (_, arity) in enumerate(operations()):
    ARITY[number] = arity

# Operations whose last operand is the number of a table of the graph (csrc/tape/opcodes.h).
for name, arity in (
    ("fixed", 1), ("curve", 1), ("mix", 2), ("moved", 3), ("total", 2), ("lookup", 2)
):
    ARITY[len(NAMES)] = arity
    OPCODE[name] = len(NAMES)
    NAMES.append(name)
if len(NAMES) != c.TW_FUNCTIONS:
    raise ImportError("the operations with tables are not those of csrc/tape/opcodes.h")


cdef const c.tw_function *functions() noexcept:
    """The registered functions, by number from TW_FUNCTIONS on."""
    return TABLE


cdef int arity_of(int operation) noexcept:
    """How many operands an operation takes, or 0 if no operation has this number."""
    return ARITY[operation] if 0 <= operation < MOST_OPERATIONS else 0


cdef bint is_instruction(int operation) noexcept:
    """Whether a tape may hold this operation."""
    return arity_of(operation) and not c.TW_FIXED <= operation <= c.TW_TOTAL


def opcodes():
    """Return the numbers of the operations, by name."""
    return dict(OPCODE)


def opcode(str name):
    """Return the number of an operation."""
    return OPCODE[name]


def of_capsule(capsule):
    """Return the signature, as text, and the address that a capsule of a C function holds."""
    cdef const char *name = PyCapsule_GetName(capsule)
    cdef uintptr_t address = <uintptr_t> PyCapsule_GetPointer(capsule, name)
    return "" if name == NULL else name.decode(), address


def register(str name, address, int arity, bint flag=False, wrt=(), owner=None):
    """Make a function of doubles an operation, unless there is one of this name.

    Parameters
    ----------
    name : str
        The name of the operation.
    address : int
        Where its code is.  Nothing can check that this is a function of such arguments.
    arity : int
        How many doubles it takes, 1 to 3.
    flag : bool
        Whether it takes an int after them, as a cpdef function of Cython does.
    wrt : sequence of int
        The operands of which it is the derivative, by differences, instead of the value: at most 2.
    owner : object
        What keeps the code alive.
    """
    cdef uintptr_t place = address
    cdef c.tw_function function
    wrt = tuple(wrt)
    if not 1 <= arity <= 3:
        raise ValueError(f"a function must take 1, 2 or 3 numbers, got {arity}")
    if place == 0:
        raise ValueError("a function must have an address other than 0")
    if len(wrt) > 2 or not all(0 <= j < arity for j in wrt):
        raise ValueError(f"there is no derivative with respect to the operands {wrt}")
    function.address = <void (*)() noexcept nogil> place
    function.arity, function.flag, function.order = arity, flag, len(wrt)
    function.wrt[0], function.wrt[1] = wrt[0] if wrt else 0, wrt[1] if len(wrt) > 1 else 0
    with changing:
        if name in OPCODE:
            return
        number = len(NAMES)
        if number == MOST_OPERATIONS:
            raise OverflowError("a process has no room for more functions; use each of them again")
        TABLE[number - c.TW_FUNCTIONS] = function
        ARITY[number] = arity
        NAMES.append(name)
        OWNERS.append(owner)
        OPCODE[name] = number

"""The operations of a tape by number, for the modules that make and check tapes."""
from thalweg._core cimport thalweg_h as c

cdef enum:
    MOST_OPERATIONS = 4096  # those of the C library, some sixty, and functions registered later

cdef list NAMES  # of the operations, by number
cdef dict OPCODE  # the number of each name
cdef int[MOST_OPERATIONS] ARITY  # 0 where no operation has the number
cdef const c.tw_function *functions() noexcept
cdef bint is_instruction(int operation) noexcept
cdef int arity_of(int operation) noexcept

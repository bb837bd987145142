"""What the other modules need of the one that links the C library."""
from thalweg._core cimport thalweg_h as c

cdef const c.tw_kernels *active(int is_float) noexcept nogil
cdef int threads_of(int threads) noexcept nogil

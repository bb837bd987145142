"""What modules about linear models share: matrices and penalties as the kernels take them."""
from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport Views

cdef const c.tw_linear *take_dense(A, Views views, c.tw_columns *columns) except NULL
cdef c.tw_coordinates coordinates(Views views, each, Py_ssize_t m) except *

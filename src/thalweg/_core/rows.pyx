"""Rows of plain numbers in a text, as columns of doubles.

`thalweg.reference.rows` says what a plain row is; this module reads the same from bytes.
"""
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport frexp, ldexp
from libc.stdint cimport uint64_t
from libc.string cimport memchr

from numpy import empty

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL
    double PyOS_string_to_double(const char *text, char **end, void *overflow) except? -1.0

cdef extern from *:
    """
    __extension__ typedef unsigned __int128 tw_wide;
    """
    ctypedef unsigned long long tw_wide

cdef enum:
    OFTEN = 65536  # a signal is heard after so many rows
    LONGEST = 100  # so many characters are no plain number
    EXACT = 22  # powers of ten up to this one are exact in a double
    DIGITS = 19  # so many digits fit into 64 bits
    FIVES = 27  # and so many factors of five

cdef double TENS[EXACT + 1]
cdef uint64_t FIVE[FIVES + 1]
cdef int exponent
for exponent in range(EXACT + 1):
    TENS[exponent] = 10.0 ** exponent
FIVE[0] = 1
for exponent in range(FIVES):
    FIVE[exponent + 1] = 5 * FIVE[exponent]

cdef double NAN = float("nan")


cdef inline bint is_digit(char c) noexcept:
    return c"0" <= c <= c"9"


cdef inline const char *blanks(const char *p, char separator) noexcept:
    """The place behind blanks, and behind tabs unless they separate columns."""
    while p[0] == c" " or (p[0] == c"\t" and separator != c"\t"):
        p += 1
    return p


cdef const char *number(const char *p, char decimal, double *value) except? NULL:
    """Read a number; return the place behind it, p if there is none.

    A decimal number of digits m and exponent e is m 10^e.  Where m and 10^|e| are exact as doubles,
    their product or quotient is rounded once, and so is the nearest double to the number.  Others
    of few digits are rounded by `nearest`, and what is left by Python's `float`.
    """
    cdef const char *q = p
    cdef uint64_t m = 0
    cdef int n = 0, e = 0, written = 0
    cdef bint minus = q[0] == c"-", e_minus
    q += q[0] == c"-" or q[0] == c"+"
    while is_digit(q[0]):
        m, n, q = 10 * m + <uint64_t> (q[0] - c"0"), n + 1, q + 1
        if n > DIGITS:
            return by_python(p, decimal, value)
    if q[0] == decimal:
        q += 1
        while is_digit(q[0]):
            m, n, e, q = 10 * m + <uint64_t> (q[0] - c"0"), n + 1, e - 1, q + 1
            if n > DIGITS:
                return by_python(p, decimal, value)
    if n == 0:
        return by_python(p, decimal, value)
    if q[0] == c"e" or q[0] == c"E":
        q += 1
        e_minus = q[0] == c"-"
        q += q[0] == c"-" or q[0] == c"+"
        if not is_digit(q[0]):
            return p
        while is_digit(q[0]) and written < 1000:
            written, q = 10 * written + (q[0] - c"0"), q + 1
        e += -written if e_minus else written
    if q - p >= LONGEST:
        return p
    if m <= (<uint64_t> 1 << 53) and -EXACT <= e <= EXACT:
        value[0] = m / TENS[-e] if e < 0 else m * TENS[e]
    elif not (-FIVES <= e < 0 and nearest(m, -e, value)):
        return by_python(p, decimal, value)
    if minus:
        value[0] = -value[0]
    return q


cdef bint nearest(uint64_t m, int k, double *value) noexcept:
    """Whether the double that is nearest to m / 10^k was found, for 0 < k <= FIVES and m > 0.

    It is r 2^(-s - k) with the integer r, 2^52 <= r < 2^53, for which m 2^s lies within 5^k / 2
    of r 5^k.  Floating point gives an r that is wrong by a few units, integers of 128 bits put it
    right.  Where r is too close to the ends of its range, as s may be wrong there, none is found.
    """
    cdef int s
    cdef uint64_t r = <uint64_t> (frexp(<double> m / <double> FIVE[k], &s) * 9007199254740992.0)
    cdef tw_wide five = FIVE[k], twice = m
    s = 53 - s  # so that m 2^s / 5^k is about r
    if s < 0:
        five <<= -s
        twice <<= 1
    else:
        twice <<= s + 1  # 2 m 2^s < 2^54 5^k, which is less than 2^118
    if not (<uint64_t> 1 << 52) + 8 < r < (<uint64_t> 1 << 53) - 8:
        return False
    while twice > (2 * r + 1) * five or (twice == (2 * r + 1) * five and r & 1):
        r += 1
    while twice < (2 * r - 1) * five or (twice == (2 * r - 1) * five and r & 1):
        r -= 1
    value[0] = ldexp(<double> r, -s - k)
    return True


cdef const char *by_python(const char *p, char decimal, double *value) except? NULL:
    """Read a number of any length or size, "nan" or "inf" as Python's `float` does."""
    cdef char cell[LONGEST + 1]
    cdef char *end = NULL
    cdef int n = 0
    while n < LONGEST and (is_digit(p[n]) or p[n] == decimal or p[n] in b"+-eEnNaAiIfFtTyY"):
        cell[n] = c"." if p[n] == decimal else p[n]
        n += 1
    cell[n] = 0
    if n == 0 or n == LONGEST:
        return p
    try:
        value[0] = PyOS_string_to_double(cell, &end, NULL)
    except ValueError:
        return p
    return p + n if end == cell + n else p


cdef const char *row(
    const char *p, double *out, Py_ssize_t step, Py_ssize_t width, Py_ssize_t behind,
    char separator, char decimal,
) except? NULL:
    """Read a row into out[0], out[step], ...; return the place behind it, NULL if it is none."""
    cdef const char *q
    cdef Py_ssize_t j
    for j in range(width + behind):
        q = blanks(p, separator)
        if j and separator:
            if q[0] != separator:
                return NULL
            q = blanks(q + 1, separator)
        elif j and q == p:
            return NULL
        p = q
        if j >= width:
            continue
        q = number(p, decimal, &out[j * step])
        if q == p:
            if not (j and separator):
                return NULL
            out[j * step] = NAN  # an empty cell, unless no separator follows
        p = q
    p = blanks(p, separator)
    p += p[0] == c"\r" and p[1] == c"\n"
    if p[0] == c"\n":
        return p + 1
    return p if p[0] == 0 else NULL


cdef Py_ssize_t lines(const char *p, const char *end) noexcept:
    """The most rows that there can be."""
    cdef Py_ssize_t n = 1
    while p < end:
        p = <const char *> memchr(p, c"\n", end - p)
        if p == NULL:
            break
        p, n = p + 1, n + 1
    return n


def read_rows(str text not None, Py_ssize_t width, Py_ssize_t behind, str separator, str decimal):
    """Return the columns (width, rows) of a text of plain rows; None if one is not plain."""
    cdef Py_ssize_t size = 0, i = 0, most
    cdef const char *p = PyUnicode_AsUTF8AndSize(text, &size)
    cdef const char *end = p + size
    cdef char sign = 0 if separator is None else <char> ord(separator)
    cdef char point = <char> ord(decimal)
    most = lines(p, end)
    columns = empty((width, most))
    cdef double[:, ::1] out = columns
    while p < end:
        if not i % OFTEN:
            PyErr_CheckSignals()
        p = row(p, &out[0, i], most, width, behind, sign, point)
        if p == NULL:
            return None
        i += 1
    return columns[:, :i]

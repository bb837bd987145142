# The rules by which a graph simplifies an operation before it creates a node.
#
# Each rule takes the graph and the operands and returns a node of equal value.  The rules serve
# three ends:
#
# 1. *One form for one formula*, so that equal expressions merge: operands of commutative operations
#    are sorted, x - c is -c + x, a + -b is a - b, a / b is a * (1 / b), constants combine.
# 2. *Work moves to where it is done less often.*  A product is kept as scale * rest with the scale
#    at the lowest stage (constant, theta only, x only).  A new factor is multiplied into that part
#    which stays at a lower stage than the whole: (p * t1) * t2 becomes p * (t1 * t2), so that one
#    multiplication per point remains however many parameters are multiplied together; and a sign
#    goes into the scale.
# 3. *Cheap operations for dear ones*: small powers by multiplication, division by a reciprocal that
#    is computed once.
#
# Values change by rounding only, provided that they and the intermediate results are finite and
# normal.  NaN is kept: nothing is cancelled, and constants combine only where their product is
# normal too.  In an `exact` graph, as while a function is recorded, 0 * x is kept as well, because
# it is NaN for an infinite x (a parameter is always finite).  Derivatives, which are full of
# factors 0, are made in graphs that are not exact.
#
# Rules copy the nodes that they look at, because making another node may move all of them.

cdef enum:
    MAX_POWER = 8  # x**n becomes products up to this n; beyond it they lose more digits than pow
    SIGN_DEPTH = 3  # how many factors deep into a product a sign may be moved


cdef int simplified(Graph g, int op, int a, int b, int c) except -1:
    """The node of ``op`` applied to its operands, by the rule of ``op`` if it has one."""
    if op == COPY:
        return a
    if op == NEG:
        return _neg(g, a)
    if op == ADD:
        return _add(g, a, b)
    if op == SUB:
        return _sub(g, a, b)
    if op == MUL:
        return _mul(g, a, b)
    if op == DIV:
        return _div(g, a, b)
    if op == RECIP:
        return _recip(g, a)
    if op == FLOOR:
        return _floor(g, a)
    if op == SQUARE or op == ABS or op == COS or op == COSH:
        return _even(g, op, a)
    if op == SQRT:
        return _sqrt(g, a)
    if op == POW:
        return _pow(g, a, b)
    if op == NOT:
        return _not(g, a)
    if op == WHERE:
        return _where(g, a, b, c)
    if op == MINIMUM or op == MAXIMUM:
        return a if a == b else _sorted(g, op, a, b)
    if op == EQUAL or op == NOT_EQUAL or op == AND or op == OR or op == HYPOT:
        return _sorted(g, op, a, b)
    return g.interned(op, a, b, c)


cdef inline bint _is_const(Graph g, int i) noexcept:
    return g.at[i].depends == 0


cdef int _sorted(Graph g, int op, int a, int b) except -1:
    """The node of a commutative operation."""
    if g.at[a].order <= g.at[b].order:
        return g.interned(op, a, b)
    return g.interned(op, b, a)


cdef int _neg(Graph g, int a) except -1:
    cdef Node node = g.at[a]
    cdef int first = node.ids[0], second = node.ids[1], negated
    if node.op == CONST:
        return g.constant(-node.value)
    if node.op == NEG:
        return first
    if node.op == SUB:
        return _sub(g, second, first)
    if node.op == ADD and g.at[first].depends != node.depends:
        return _sub(g, _neg(g, first), second)
    if node.op == MUL:
        negated = _negated_product(g, a, SIGN_DEPTH)
        if negated != NONE:
            return negated
    return g.interned(NEG, a)


cdef int _negated_product(Graph g, int product, int depth) except -1:
    """The product with the sign of a factor of a lower stage changed, if it has such a factor."""
    cdef int scale = g.at[product].ids[0], rest = g.at[product].ids[1], negated
    if g.at[scale].depends != g.at[product].depends:
        return g.interned(MUL, _neg(g, scale), rest)
    if depth == 0:
        return NONE
    if g.at[scale].op == MUL:
        negated = _negated_product(g, scale, depth - 1)
        if negated != NONE:
            return _sorted(g, MUL, negated, rest)
    if g.at[rest].op == MUL:
        negated = _negated_product(g, rest, depth - 1)
        if negated != NONE:
            return _sorted(g, MUL, negated, scale)
    return NONE


cdef int _add(Graph g, int a, int b) except -1:
    if g.at[a].order > g.at[b].order:
        a, b = b, a  # a constant is b only if both are
    cdef Node left = g.at[a], right = g.at[b]
    if a == b:
        return _mul(g, g.constant(2.0), a)
    if not right.depends:
        return g.constant(left.value + right.value)
    if not left.depends:
        if left.value == 0.0:
            return b
        if (right.op == ADD or right.op == SUB) and _is_const(g, right.ids[0]):
            a = g.constant(left.value + g.at[right.ids[0]].value)
            return simplified(g, right.op, a, right.ids[1], 0)
    if right.op == NEG:
        return _sub(g, a, right.ids[0])
    if left.op == NEG:
        return _sub(g, b, left.ids[0])
    return g.interned(ADD, a, b)


cdef int _sub(Graph g, int a, int b) except -1:
    cdef Node left = g.at[a], right = g.at[b]
    if right.op == NEG:
        return _add(g, a, right.ids[0])
    if not right.depends:
        return _add(g, g.constant(-right.value), a)
    if not left.depends:
        if left.value == 0.0:
            return _neg(g, b)
        if (right.op == ADD or right.op == SUB) and _is_const(g, right.ids[0]):
            a = g.constant(left.value - g.at[right.ids[0]].value)
            return simplified(g, SUB if right.op == ADD else ADD, a, right.ids[1], 0)
    if left.op == NEG and left.depends == left.depends | right.depends:
        return _neg(g, _add(g, left.ids[0], b))
    return g.interned(SUB, a, b)


cdef int _mul(Graph g, int a, int b) except -1:
    cdef int merged = NONE
    if g.at[a].order > g.at[b].order:
        a, b = b, a  # a constant is b only if both are
    cdef Node left = g.at[a], right = g.at[b]
    if not right.depends:
        return g.constant(left.value * right.value)
    if a == b:
        return _even(g, SQUARE, a)
    if not left.depends:
        if left.value == 0.0:
            return g.interned(MUL, a, b) if g.exact and right.op != THETA else a
        if left.value == 1.0:
            return b
        if left.value == -1.0:
            return _neg(g, b)
    if right.op == NEG:  # move the sign outwards; _neg puts it where it costs least
        return _neg(g, _mul(g, a, right.ids[0]))
    if left.op == NEG and not (left.depends == ON_THETA and right.depends & ON_X):
        return _neg(g, _mul(g, left.ids[0], b))
    if right.op == MUL:
        merged = _combine(g, a, b)
    if merged == NONE and left.op == MUL:
        merged = _combine(g, b, a)
    return g.interned(MUL, a, b) if merged == NONE else merged


cdef int _combine(Graph g, int factor, int product) except -1:
    """factor * product with the factor multiplied into a part that stays at a lower stage."""
    cdef Node node = g.at[factor]
    cdef int scale = g.at[product].ids[0], rest = g.at[product].ids[1]
    cdef int of_scale = g.at[scale].depends, of_product = g.at[product].depends
    cdef int whole = node.depends | of_product
    if not node.depends and not of_scale and not _is_normal_product(node.value, g.at[scale].value):
        return NONE
    # A product that is wholly at a lower stage stays so; only its constant may move on to theta.
    if of_product != whole and (of_scale or node.depends != ON_THETA):
        return NONE
    if node.depends | of_scale != whole:
        return _mul(g, _mul(g, factor, scale), rest)
    if node.depends | g.at[rest].depends != whole:
        return _mul(g, scale, _mul(g, factor, rest))
    if of_scale:
        return NONE
    if whole != ON_BOTH:
        return _mul(g, scale, _mul(g, factor, rest))
    if node.op == MUL and g.at[node.ids[0]].depends in (0, ON_THETA):
        # the constant `scale` is multiplied into the scale of `factor`
        return _mul(g, _mul(g, _mul(g, scale, node.ids[0]), node.ids[1]), rest)
    return NONE


cdef inline bint _is_normal_product(double a, double b) noexcept:
    """Whether the product of two constants is normal, or exact because one is 0 or not finite."""
    cdef double product = fabs(a * b)
    cdef bint ordinary = a != 0.0 and b != 0.0 and fabs(a) <= DBL_MAX and fabs(b) <= DBL_MAX
    return not ordinary or DBL_MIN <= product <= DBL_MAX


cdef int _div(Graph g, int a, int b) except -1:
    if not _is_const(g, b):
        return _mul(g, a, _recip(g, b))
    cdef double value = g.at[b].value, inverse = 1.0 / value if value else 0.0
    cdef int exponent
    cdef bint exact = fabs(frexp(value, &exponent)) == 0.5
    if (exact or g.at[a].depends == ON_BOTH) and DBL_MIN <= fabs(inverse) <= DBL_MAX:
        return _mul(g, g.constant(inverse), a)
    return g.interned(DIV, a, b)


cdef int _recip(Graph g, int a) except -1:
    cdef Node node = g.at[a]
    cdef int first = node.ids[0], second = node.ids[1]
    if node.op == RECIP:
        return first
    if node.op == NEG:
        return _neg(g, _recip(g, first))
    if node.op == MUL and node.depends not in (g.at[first].depends, g.at[second].depends):
        return _mul(g, _recip(g, first), _recip(g, second))
    return g.interned(RECIP, a)


cdef int _floor(Graph g, int a) except -1:
    """Floor.  That of a quotient keeps the division, which NumPy rounds: floor(x / x) must be 1."""
    cdef Node node = g.at[a], inverse
    cdef int k, quotient
    cdef bint negative
    for k in range(2 if node.op == MUL else 0):
        inverse = g.at[node.ids[k]]
        negative = inverse.op == NEG
        if negative:
            inverse = g.at[inverse.ids[0]]
        if inverse.op == RECIP:
            quotient = g.interned(DIV, node.ids[1 - k], inverse.ids[0])
            return g.interned(FLOOR, g.interned(NEG, quotient) if negative else quotient)
    return g.interned(FLOOR, a)


cdef int _even(Graph g, int op, int a) except -1:
    """A function with f(-a) = f(a)."""
    cdef Node node = g.at[a]
    if node.op == NEG or node.op == ABS:
        a = node.ids[0]
    elif node.op == SUB and g.at[node.ids[0]].order < g.at[node.ids[1]].order:
        a = _sub(g, node.ids[1], node.ids[0])
    return g.interned(op, a)


cdef int _sqrt(Graph g, int a) except -1:
    cdef Node node = g.at[a]
    return _even(g, ABS, node.ids[0]) if node.op == SQUARE else g.interned(SQRT, a)


cdef int _pow(Graph g, int a, int b) except -1:
    if not _is_const(g, b) or _is_const(g, a):
        return g.interned(POW, a, b)
    cdef double exponent = g.at[b].value, size = fabs(exponent)
    cdef bint whole = size <= MAX_POWER and size == <int> size
    if exponent == 0.0:
        return g.constant(1.0)
    if not whole and size != 0.5:
        return g.interned(POW, a, b)
    if exponent < 0.0:
        return _recip(g, _pow(g, a, g.constant(size)))
    return _power(g, a, <int> exponent) if whole else _sqrt(g, a)


cdef int _power(Graph g, int a, int n) except -1:
    if n == 1:
        return a
    if n == 3:
        return _mul(g, _even(g, SQUARE, a), a)
    if n % 2:
        return _mul(g, _power(g, a, n - 1), a)
    return _even(g, SQUARE, _power(g, a, n // 2))


cdef int _not(Graph g, int a) except -1:
    cdef Node node = g.at[a]
    if node.op == EQUAL or node.op == NOT_EQUAL:
        return g.interned(NOT_EQUAL if node.op == EQUAL else EQUAL, node.ids[0], node.ids[1])
    return g.interned(NOT, a)


cdef int _where(Graph g, int c, int a, int b) except -1:
    while g.at[c].op == NOT:
        c, a, b = g.at[c].ids[0], b, a
    if a == b:
        return a
    if _is_const(g, c):
        return a if g.at[c].value != 0.0 else b
    return g.interned(WHERE, c, a, b)
